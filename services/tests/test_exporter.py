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


def files() -> set[Path]:
    return set(Path("/dev/shm").glob("accounts-metrics-*"))  # noqa: S108  # as gunicorn.conf.py has it


def test_all_workers_count_as_one_and_a_killed_one_has_counted(fresh_database: str) -> None:
    before = files()
    with gunicorn(fresh_database) as served:
        counted = served.value(REQUESTS, **LIVE)
        served.ask(times=20)
        assert served.value(REQUESTS, **LIVE) == counted + 20
        assert served.value("accounts_database_connections_limit") == WORKERS * 10

        exporter, *workers = sorted(served.children())
        os.kill(workers[0], signal.SIGKILL)
        until(lambda: len(served.children()) == WORKERS + 1 and workers[0] not in served.children())
        served.ask(times=20)
        until(lambda: served.value("accounts_database_connections_limit") == WORKERS * 10)
        assert served.value(REQUESTS, **LIVE) == counted + 40

        os.kill(exporter, signal.SIGKILL)
        until(lambda: exporter not in served.children())
        os.kill(workers[1], signal.SIGKILL)
        until(lambda: len(served.children()) == WORKERS + 1)
        served.ask(times=2)
        assert served.value(REQUESTS, **LIVE) == counted + 42
        assert len(list((files() - before).pop().glob("counter_*"))) == WORKERS + 1  # and the master's
        children = served.children()
        served.master.terminate()
        assert served.master.wait(PATIENCE) == 0
        assert not [each for each in children if Path(f"/proc/{each}").exists()]
    assert files() == before
