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


def alive(process: int) -> bool:
    """Tell what runs from what has ended, reaped or not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


def files() -> set[Path]:
    return set(Path("/dev/shm").glob("accounts-metrics-*"))  # noqa: S108  # as gunicorn.conf.py has it


def test_all_workers_count_as_one_and_a_killed_one_has_counted(fresh_database: str) -> None:
    before = files()
    with gunicorn(fresh_database) as served:
        counted = served.value(REQUESTS, **LIVE)
        served.ask(times=20)
        assert served.value(REQUESTS, **LIVE) == counted + 20

        exporter, *workers = sorted(served.children())
        served.kill(workers[0])
        served.ask(times=20)
        assert served.value(REQUESTS, **LIVE) == counted + 40
        limit = WORKERS * 10
        wait_until("only live workers count", lambda: served.value("accounts_database_connections_limit") == limit)

        os.kill(exporter, signal.SIGKILL)  # the next worker brings another
        wait_until("the exporter is gone", lambda: exporter not in served.children())
        served.kill(workers[1])
        served.ask(times=2)
        assert served.value(REQUESTS, **LIVE) == counted + 42
        [directory] = files() - before
        assert len(list(directory.glob("counter_*"))) == WORKERS + 1  # and the master's: none for each that has ended


def test_nothing_is_left_when_it_stops_or_is_killed(fresh_database: str) -> None:
    before = files()
    with gunicorn(fresh_database) as served:
        children = served.children()
        served.master.terminate()
        assert served.master.wait(PATIENCE) == 0
        assert not any(map(alive, children))
        assert files() == before

    with gunicorn(fresh_database) as served:
        children = served.children()
        served.master.kill()
        wait_until("the exporter and its files are gone", lambda: not alive(min(children)) and files() == before)
        for worker in filter(alive, children):  # uvicorn's do not look for a master
            os.kill(worker, signal.SIGTERM)


def test_the_public_port_has_no_metrics_and_theirs_has_nothing_else(fresh_database: str) -> None:
    before = files()
    with gunicorn(fresh_database) as served, Client(base_url=served.api) as api:
        assert api.get("/metrics").status_code == 404
        assert served.metrics.get("/health/live").status_code == 404
        assert served.metrics.post("/metrics").status_code == 405

        taken = environment(fresh_database, METRICS_PORT=str(served.metrics.base_url.port))
        second = subprocess.run([sys.executable, "-m", "gunicorn"], env=taken, capture_output=True, check=False)
        assert second.returncode == 1
        assert b"METRICS_PORT=" in second.stderr.splitlines()[-1]
        assert len(files()) == len(before) + 1


def test_says_what_waits(fresh_database: str) -> None:
    with gunicorn(fresh_database) as served:
        with Client(base_url=served.api) as api:
            api.post("/auth/forgot-password", json={"email": "nobody@camelot.example.com"})
            api.post("/auth/register", json={"email": "arthur@camelot.example.com", "password": PASSWORD})
        found = {name: value for (name, labels), value in served.samples().items() if not labels}
        assert (found["accounts_database_up"], found["accounts_outbox_waiting"]) == (1, 1)
        assert found["accounts_outbox_oldest_age_seconds"] < PATIENCE
        assert found["accounts_outbox_parked"] == 0
