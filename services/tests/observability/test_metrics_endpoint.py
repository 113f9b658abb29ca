"""Scrapes while the database is available, and while it is not."""

import socket
import time
from pathlib import Path

import pytest
from httpx2 import ASGITransport, AsyncClient
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from accounts.api import metrics_endpoint
from accounts.db.engine import create_engine
from accounts.db.session import create_sessionmaker
from accounts.observability import metrics_files
from accounts.settings import Settings
from support.processes import free_port

METRICS_PORT = 9464


@pytest.fixture
def settings(fresh_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv(metrics_files.DIRECTORY, str(tmp_path))
    settings = fresh_settings.model_copy(update={"metrics_port": METRICS_PORT})
    monkeypatch.setattr(metrics_endpoint, "get_settings", lambda: settings)
    return settings


async def scrape(settings: Settings, port: int = METRICS_PORT) -> tuple[int, str]:
    app, engine = metrics_endpoint.create_app(), create_engine(settings, "test")

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"settings": settings, "reader": create_sessionmaker(engine)}}, receive, send)

    async with AsyncClient(transport=ASGITransport(asgi), base_url=f"http://testserver:{port}") as client:
        answer = await client.get("/metrics")
    await engine.dispose()
    return answer.status_code, answer.text


async def test_scrape_reports_the_mail_queue(settings: Settings) -> None:
    status, text = await scrape(settings)

    assert status == 200
    assert "accounts_database_up 1.0" in text
    assert "accounts_outbox_waiting 0.0" in text


@pytest.mark.slow
@pytest.mark.parametrize("listens", [False, True])
async def test_scrape_succeeds_within_four_seconds_when_the_database_does_not_answer(
    settings: Settings, *, listens: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if listens else free_port()
        url = SecretStr(f"postgresql://accounts@127.0.0.1:{port}/accounts")
        begun = time.monotonic()

        status, text = await scrape(settings.model_copy(update={"database_url": url}))

    assert (status, "accounts_database_up 0.0" in text, "accounts_outbox" in text) == (200, True, False)
    assert time.monotonic() - begun < 4


async def test_api_port_has_no_metrics(settings: Settings) -> None:
    status, text = await scrape(settings, 8000)

    assert (status, "accounts_database_up" in text) == (404, False)
