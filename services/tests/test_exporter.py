"""Metrics as they are scraped: of gunicorn's workers together, on a port of their own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from httpx2 import Client, TransportError
from prometheus_client.parser import text_string_to_metric_families

from accounts.settings import get_settings
from people import PASSWORD

PATIENCE = 20.0
WORKERS = 2
REQUESTS = "accounts_http_request_duration_seconds_count"
LIVE = {"method": "GET", "route": "/health/live", "status": "200"}


class Served(NamedTuple):
    """gunicorn, and its two ports."""

    master: subprocess.Popen[bytes]
    api: str
    metrics: Client

    def ask(self, path: str = "/health/live", times: int = 1, method: str = "GET") -> None:
        """Ask over connections of their own, so that both workers have some of it."""
        for _ in range(times):
            with Client(base_url=self.api) as client:
                client.request(method, path)

    def samples(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Scrape."""
        answer = self.metrics.get("/metrics")
        assert answer.status_code == 200
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        """Give one sample."""
        return self.samples().get((name, frozenset(labels.items())), 0)

    def kill(self, worker: int) -> None:
        """End a worker, and wait for the one that takes its place."""
        os.kill(worker, signal.SIGKILL)
        until(lambda: worker not in self.children() and len(self.children()) == WORKERS + 1)

    def children(self) -> set[int]:
        """List what the master has forked."""
        path = Path(f"/proc/{self.master.pid}/task/{self.master.pid}/children")
        return set(map(int, path.read_text().split()))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it does not become true"
        time.sleep(0.1)


def environment(database: str, **more: str) -> dict[str, str]:
    secret = get_settings().secret_key.get_secret_value()
    return os.environ | {
        "DATABASE_URL": database, "API_PORT": str(free_port()), "METRICS_PORT": str(free_port()),
        "ENVIRONMENT": "production", "SECRET_KEY": secret, "WEB_CONCURRENCY": str(WORKERS),
    } | more  # fmt: skip


@contextmanager
def gunicorn(database: str, **more: str) -> Iterator[Served]:
    variables = environment(database, **more)
    with (
        subprocess.Popen([sys.executable, "-m", "gunicorn"], env=variables) as master,
        Client(base_url=f"http://127.0.0.1:{variables['METRICS_PORT']}") as metrics,
    ):
        served = Served(master, f"http://127.0.0.1:{variables['API_PORT']}", metrics)
        try:
            until(lambda: answers(served.api))
            until(lambda: len(served.children()) == WORKERS + 1)
            yield served
        finally:
            master.terminate()


def answers(url: str) -> bool:
    try:
        with Client(base_url=url) as client:
            return client.get("/health/live").status_code == 200
    except TransportError:
        return False


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
        until(lambda: served.value("accounts_database_connections_limit") == WORKERS * 10)  # no more are alive

        os.kill(exporter, signal.SIGKILL)  # the next worker brings another
        until(lambda: exporter not in served.children())
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
        until(lambda: not alive(min(children)) and files() == before)
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
