"""gunicorn as it ships, with several workers and both of its ports; and what is scraped from it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from httpx2 import Client, TransportError
from prometheus_client.parser import text_string_to_metric_families

from accounts.settings import get_settings
from benchmarks.servers import free_port
from support.waiting import wait_until

WORKERS = 2


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
        wait_until(
            "another worker takes the place", lambda: worker not in self.children() and len(self.children()) == WORKERS
        )

    def children(self) -> set[int]:
        """List what the master has forked."""
        path = Path(f"/proc/{self.master.pid}/task/{self.master.pid}/children")
        return set(map(int, path.read_text().split()))


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
            wait_until("gunicorn answers", lambda: answers(served.api))
            wait_until("all workers run", lambda: len(served.children()) == WORKERS)
            yield served
        finally:
            master.terminate()


def answers(url: str) -> bool:
    try:
        with Client(base_url=url) as client:
            return client.get("/health/live").status_code == 200
    except TransportError:
        return False
