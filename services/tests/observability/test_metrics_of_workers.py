"""Metrics as they are scraped: of gunicorn's workers together, on a port of their own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from httpx2 import Client

from support.gunicorn import WORKERS, environment, gunicorn
from support.people import PASSWORD
from support.waiting import PATIENCE, wait_until

REQUESTS = "accounts_http_request_duration_seconds_count"
LIVE = {"method": "GET", "route": "/health/live", "status": "200"}


def directories(master: subprocess.Popen[bytes]) -> list[Path]:
    return list(Path("/dev/shm").glob(f"accounts-metrics-{master.pid}-*"))  # noqa: S108  # as gunicorn.conf.py has it


def test_totals_cover_all_workers_and_survive_a_killed_one(fresh_database: str) -> None:
    with gunicorn(fresh_database) as served:
        counted = served.value(REQUESTS, **LIVE)
        served.ask(times=20)
        assert served.value(REQUESTS, **LIVE) == counted + 20

        for killed in range(1, 3):
            served.kill(min(served.children()))
            served.ask(times=20)
            assert served.value(REQUESTS, **LIVE) == counted + 20 + killed * 20
            wait_until(
                "only live workers count",
                lambda: served.value("accounts_database_connections_limit") == WORKERS * 10,
            )

        [directory] = directories(served.master)
        assert len(list(directory.glob("counter_*"))) == WORKERS + 1  # and the master's: none for each that has ended


def test_files_are_deleted_when_gunicorn_stops_and_after_a_kill_at_the_next_start(fresh_database: str) -> None:
    with gunicorn(fresh_database) as served:
        served.master.terminate()
        assert served.master.wait(PATIENCE) == 0
        assert not directories(served.master)

    with gunicorn(fresh_database) as served:
        workers = served.children()
        served.master.kill()
        served.master.wait()
    for worker in workers:  # uvicorn's do not notice that their master has ended
        os.kill(worker, signal.SIGTERM)
    assert len(directories(served.master)) == 1

    with gunicorn(fresh_database):
        assert not directories(served.master)


def test_metrics_are_served_on_their_own_port_only(fresh_database: str) -> None:
    with gunicorn(fresh_database) as served, Client(base_url=served.api) as api:
        assert api.get("/metrics").status_code == 404
        assert served.metrics.get("/health/live").status_code == 404
        assert served.metrics.post("/metrics").status_code == 405

        taken = environment(fresh_database, METRICS_PORT=str(served.metrics.base_url.port))
        command = [sys.executable, "-m", "gunicorn"]
        with subprocess.Popen(command, env=taken, stderr=subprocess.PIPE) as second:
            _, errors = second.communicate()
        assert second.returncode == 1
        assert f"('127.0.0.1', {taken['METRICS_PORT']})" in errors.decode().splitlines()[-1]
        assert not directories(second)


def test_metrics_report_mail_that_waits(fresh_database: str) -> None:
    with gunicorn(fresh_database) as served:
        with Client(base_url=served.api) as api:
            api.post("/auth/forgot-password", json={"email": "nobody@camelot.example.com"})
            api.post("/auth/register", json={"email": "arthur@camelot.example.com", "password": PASSWORD})
        found = {name: value for (name, labels), value in served.samples().items() if not labels}
        assert (found["accounts_database_up"], found["accounts_outbox_waiting"]) == (1, 1)
        assert found["accounts_outbox_oldest_age_seconds"] < PATIENCE
        assert found["accounts_outbox_parked"] == 0
