"""gunicorn as it ships, on a port of its own, and its metrics."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from httpx2 import Client, TransportError
from prometheus_client.parser import text_string_to_metric_families

from support.processes import children, environment, free_port
from support.waiting import PATIENCE, wait_until

WORKERS = 2
STOP_SECONDS = 30.0  # compose.yaml's stop_grace_period


@dataclass
class Gunicorn:
    """A running gunicorn: its master, its API and its metrics."""

    master: subprocess.Popen[bytes]
    api: Client
    metrics: Client

    def request(self, path: str = "/health/live", times: int = 1) -> None:
        """Make requests over one connection each, so that all workers get some."""
        for _ in range(times):
            with Client(base_url=self.api.base_url) as client:
                client.get(path)

    def samples(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Scrape the metrics; samples are keyed by name and labels."""
        answer = self.metrics.get("/metrics")
        assert answer.status_code == 200
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        """Scrape one sample; 0 if it is missing."""
        return self.samples().get((name, frozenset(labels.items())), 0)

    def workers(self) -> set[int]:
        """List the processes of the workers."""
        return children(self.master.pid)

    def kill(self, worker: int) -> None:
        """Kill a worker, and wait for its successor."""
        number = len(self.workers())
        os.kill(worker, signal.SIGKILL)
        wait_until("a new worker runs", lambda: worker not in self.workers() and len(self.workers()) == number)

    def stop(self) -> int:
        """Stop as an orchestrator does, and return the exit status."""
        self.master.terminate()
        return self.master.wait(PATIENCE)

    def answers(self) -> bool:
        assert self.master.poll() is None, "gunicorn has ended"
        try:
            return self.api.get("/health/ready").status_code == 200
        except TransportError:
            return False


@contextmanager
def gunicorn(database_url: str, workers: int = WORKERS, **settings: str) -> Iterator[Gunicorn]:
    """Serve a database until the block ends. Without ``METRICS_PORT`` in ``settings`` there is a port for metrics."""
    ports = {name: str(free_port()) for name in ("API_PORT", "METRICS_PORT")} | settings
    variables = environment(database_url, WEB_CONCURRENCY=str(workers), **ports)
    host = "[::1]" if "::1" in settings.get("API_HOST", "") else "127.0.0.1"
    with (
        subprocess.Popen([sys.executable, "-m", "gunicorn"], env=variables) as master,
        Client(base_url=f"http://{host}:{variables['API_PORT']}") as api,
        Client(base_url=f"http://127.0.0.1:{variables['METRICS_PORT']}") as metrics,
    ):
        server = Gunicorn(master, api, metrics)
        try:
            wait_until("gunicorn answers", server.answers)
            wait_until("all workers run", lambda: len(server.workers()) == workers)
            yield server
        finally:
            end(master)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that a test started: by SIGTERM, or by SIGKILL if it takes too long."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
