"""Metrics as they are scraped: of gunicorn's workers together, on a port of their own."""

import os
import signal
from collections.abc import Iterator

import pytest

from conftest import temporary_database
from support.gunicorn import WORKERS, Gunicorn, abandoned_metrics, gunicorn
from support.people import PASSWORD
from support.processes import environment, is_alive, python
from support.waiting import PATIENCE, wait_until

REQUESTS = "accounts_http_request_duration_seconds_count"
LIVE = {"method": "GET", "route": "/health/live", "status": "200"}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[Gunicorn]:
    """Serve one database for all tests that neither stop the server nor kill its workers."""
    with temporary_database() as url, gunicorn(url) as server:
        yield server


def test_all_workers_count_as_one_and_killed_workers_keep_their_counts(fresh_database: str) -> None:
    with gunicorn(fresh_database) as server:
        counted = server.value(REQUESTS, **LIVE)
        server.request(times=20)
        assert server.value(REQUESTS, **LIVE) == counted + 20

        exporter, *workers = sorted(server.children())
        server.kill(workers[0])
        server.request(times=20)
        assert server.value(REQUESTS, **LIVE) == counted + 40
        limit = WORKERS * 10
        wait_until("only live workers count", lambda: server.value("accounts_database_connections_limit") == limit)

        os.kill(exporter, signal.SIGKILL)  # the next worker brings another
        wait_until("the exporter is gone", lambda: exporter not in server.children())
        server.kill(workers[1])
        server.request(times=2)
        wait_until("a new exporter answers", lambda: server.value(REQUESTS, **LIVE) == counted + 42)
        # One file for each place of a worker and one for the master: none for each worker that has ended.
        assert len(list(server.metrics_files().glob("counter_*"))) == WORKERS + 1


def test_stopped_server_leaves_no_process_and_no_file(fresh_database: str) -> None:
    with gunicorn(fresh_database) as server:
        children, files = server.children(), server.metrics_files()

        assert server.stop() == 0

        assert not any(map(is_alive, children))
        assert not files.exists()


def test_exporter_and_files_end_with_a_killed_master(fresh_database: str) -> None:
    with gunicorn(fresh_database) as server:
        exporter, *workers = sorted(server.children())
        files = server.metrics_files()
        server.master.kill()
        try:
            wait_until("the exporter and its files are gone", lambda: not is_alive(exporter) and not files.exists())
        finally:
            for worker in filter(is_alive, workers):  # uvicorn's workers do not look for a master
                os.kill(worker, signal.SIGTERM)


def test_public_port_serves_no_metrics_and_the_metrics_port_nothing_else(server: Gunicorn) -> None:
    assert server.api.get("/metrics").status_code == 404
    assert server.metrics.get("/health/live").status_code == 404
    assert server.metrics.post("/metrics").status_code == 405


def test_server_does_not_start_when_the_metrics_port_is_taken(server: Gunicorn) -> None:
    before = abandoned_metrics()
    taken = environment(os.environ["DATABASE_URL"], METRICS_PORT=str(server.metrics.base_url.port), API_PORT="0")

    second = python("-m", "gunicorn", env=taken)

    assert second.returncode == 1
    assert "METRICS_PORT=" in second.stderr.splitlines()[-1]
    wait_until("no files are left", lambda: abandoned_metrics() <= before)


def test_metrics_show_the_mail_queue(server: Gunicorn) -> None:
    server.api.post("/auth/forgot-password", json={"email": "nobody@camelot.example.com"})
    server.api.post("/auth/register", json={"email": "arthur@camelot.example.com", "password": PASSWORD})
    found = {name: value for (name, labels), value in server.samples().items() if not labels}
    assert (found["accounts_database_up"], found["accounts_outbox_waiting"]) == (1, 1)
    assert found["accounts_outbox_oldest_age_seconds"] < PATIENCE
    assert found["accounts_outbox_parked"] == 0
