"""Metrics of the worker process."""

import os
import signal
import socket
import threading
from pathlib import Path

import pytest
from httpx2 import Client, TransportError

from accounts.settings import Settings
from accounts.worker import __main__ as process_of_worker
from accounts.worker.worker import CONNECTIONS
from support.processes import free_port
from support.waiting import wait_until


@pytest.fixture
def settings(fresh_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = fresh_settings.model_copy(update={"mail_folder": tmp_path, "metrics_port": free_port()})
    monkeypatch.setattr(process_of_worker, "get_settings", lambda: settings)
    monkeypatch.setattr(process_of_worker, "dictConfig", lambda _: None)  # the tests have their own logs
    return settings


def test_worker_serves_its_metrics(settings: Settings) -> None:
    pages: list[str] = []

    def scrape() -> None:
        try:
            with Client(base_url=f"http://127.0.0.1:{settings.metrics_port}") as client:
                wait_until("the worker serves metrics", lambda: answers(client))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def answers(client: Client) -> bool:
        try:
            pages.append(client.get("/metrics").text)
        except TransportError:
            return False
        return True

    threading.Thread(target=scrape).start()
    process_of_worker.main()

    assert f"accounts_database_connections_limit {CONNECTIONS}.0" in pages[0]


def test_metrics_port_in_use_is_reported_in_one_line(settings: Settings) -> None:
    with (
        socket.create_server(("127.0.0.1", settings.metrics_port)),
        pytest.raises(SystemExit, match=r"^worker: METRICS_PORT=\d+ of 127\.0\.0\.1: Address already in use$"),
    ):
        process_of_worker.main()
