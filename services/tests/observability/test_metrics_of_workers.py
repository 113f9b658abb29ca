"""Metrics as they are scraped: of gunicorn's workers together, on a port of their own."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import temporary_database
from support.gunicorn import WORKERS, Gunicorn, gunicorn
from support.people import PASSWORD
from support.processes import environment, free_port, python
from support.waiting import PATIENCE, wait_until

REQUESTS = "accounts_http_request_duration_seconds_count"
LIVE = {"method": "GET", "route": "/health/live", "status": "200"}
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # as gunicorn.conf.py has it
pytestmark = pytest.mark.slow


def directories(master: int | str) -> list[Path]:
    return list(SHARED_MEMORY.glob(f"accounts-metrics-{master}-*"))


@pytest.fixture(scope="module")
def server() -> Iterator[Gunicorn]:
    """Serve one database to all tests that neither stop the server nor kill its workers."""
    with temporary_database() as url, gunicorn(url) as server:
        yield server


def test_totals_cover_all_workers_and_survive_a_killed_one(fresh_database: str) -> None:
    with gunicorn(fresh_database) as server:
        counted = server.value(REQUESTS, **LIVE)
        server.request(times=20)
        assert server.value(REQUESTS, **LIVE) == counted + 20

        for killed in range(1, 3):
            server.kill(min(server.workers()))
            server.request(times=20)
            assert server.value(REQUESTS, **LIVE) == counted + 20 + killed * 20
            wait_until(
                "only live workers count",
                lambda: server.value("accounts_database_connections_limit") == WORKERS * 10,
            )

        [directory] = directories(server.master.pid)
        assert len(list(directory.glob("counter_*"))) == WORKERS + 1  # and the master's: none for each that has ended


def test_files_are_deleted_when_gunicorn_stops_and_after_a_kill_at_the_next_start(fresh_database: str) -> None:
    with gunicorn(fresh_database) as server:
        assert server.stop() == 0
        assert not directories(server.master.pid)

    with gunicorn(fresh_database) as server:
        workers = server.workers()
        [left] = directories(server.master.pid)
        server.master.kill()
        server.master.wait(PATIENCE)
    for worker in workers:  # uvicorn's do not notice that their master has ended
        os.kill(worker, signal.SIGTERM)

    with gunicorn(fresh_database):
        assert not left.exists()


def test_metrics_are_served_on_their_own_port_only(server: Gunicorn) -> None:
    assert server.api.get("/metrics").status_code == 404
    assert server.metrics.get("/health/live").status_code == 404
    assert server.metrics.post("/metrics").status_code == 405


def test_server_does_not_start_when_the_metrics_port_is_taken(server: Gunicorn) -> None:
    port = str(server.metrics.base_url.port)
    program = "import os, runpy; print(os.getpid(), flush=True); runpy.run_module('gunicorn', run_name='__main__')"

    second = python(
        "-c", program, env=environment(os.environ["DATABASE_URL"], METRICS_PORT=port, API_PORT=str(free_port()))
    )

    assert second.returncode == 1
    assert f"('127.0.0.1', {port})" in second.stderr.splitlines()[-1]
    assert not directories(second.stdout.strip())


def test_server_does_not_start_with_one_port_for_the_api_and_the_metrics() -> None:
    port = str(free_port())

    result = python("-m", "gunicorn", env=environment(os.environ["DATABASE_URL"], METRICS_PORT=port, API_PORT=port))

    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == "accounts: METRICS_PORT is the same as API_PORT"


def test_metrics_report_mail_that_waits(server: Gunicorn) -> None:
    server.api.post("/auth/forgot-password", json={"email": "nobody@camelot.example.com"})
    server.api.post("/auth/register", json={"email": "arthur@camelot.example.com", "password": PASSWORD})
    found = {name: value for (name, labels), value in server.samples().items() if not labels}
    assert (found["accounts_database_up"], found["accounts_outbox_waiting"]) == (1, 1)
    assert found["accounts_outbox_oldest_age_seconds"] < PATIENCE
    assert found["accounts_outbox_parked"] == 0
