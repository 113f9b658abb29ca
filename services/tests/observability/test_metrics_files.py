"""Counts of several processes as one, and ``/metrics`` in front of them."""

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx2 import AsyncClient
from prometheus_client import CollectorRegistry, Counter, values
from pydantic import SecretStr

from accounts import metrics_server
from accounts.observability import metrics_files
from accounts.settings import Settings
from support.processes import free_port


@pytest.fixture
def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter]:
    monkeypatch.setenv(metrics_files.DIRECTORY, "")
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setattr(metrics_files, "_place", "main")
    metrics_files.use_files(tmp_path)
    yield Counter("knights", "Who sits at the table.", registry=CollectorRegistry())
    values.ValueClass.close_all_files()


async def served(settings: Settings, directory: Path) -> tuple[int, str]:
    """Scrape once."""
    over = asyncio.Event()
    serving = asyncio.create_task(
        metrics_server.serve(settings, metrics_server.listen(settings), directory, over.is_set)
    )
    async with AsyncClient(base_url=f"http://127.0.0.1:{settings.metrics_port}") as client:
        answer = await client.get("/metrics")
    over.set()
    await serving
    return answer.status_code, answer.text


@pytest.fixture
def settings(fresh_settings: Settings) -> Settings:
    return fresh_settings.model_copy(update={"metrics_port": free_port()})


async def test_who_takes_a_place_again_counts_on(settings: Settings, tmp_path: Path, counter: Counter) -> None:
    for place in ("1", "2", "1"):
        metrics_files.use_slot(place)
        counter.inc()

    status, text = await served(settings, tmp_path)

    assert status == 200
    assert "knights_total 3.0" in text
    assert "accounts_database_up 1.0" in text
    assert "accounts_outbox_waiting 0.0" in text


@pytest.mark.parametrize("listens", [False, True])
async def test_answers_also_when_the_database_does_not(settings: Settings, tmp_path: Path, *, listens: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if listens else free_port()
        url = SecretStr(f"postgresql://accounts@127.0.0.1:{port}/accounts")
        begun = time.monotonic()

        status, text = await served(settings.model_copy(update={"database_url": url}), tmp_path)

    assert (status, "accounts_database_up 0.0" in text, "accounts_outbox" in text) == (200, True, False)
    assert time.monotonic() - begun < 4


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_that_is_taken_is_told_in_one_line(settings: Settings, host: str) -> None:
    here = settings.model_copy(update={"metrics_host": host})
    with (
        metrics_server.listen(here),
        pytest.raises(SystemExit, match=r"^accounts: METRICS_PORT=\d+ of .+: Address already"),
    ):
        metrics_server.listen(here)
