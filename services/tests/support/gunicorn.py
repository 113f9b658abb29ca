"""gunicorn as it ships, on a port of its own, and its metrics."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from httpx2 import Client, TransportError
from prometheus_client.parser import text_string_to_metric_families

from support.processes import PROC, children, environment, free_port, mapped_files
from support.waiting import PATIENCE, wait_until

WORKERS = 2
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # where gunicorn.conf.py keeps what the workers count
STOP_SECONDS = 30.0  # compose.yaml's stop_grace_period


@dataclass
class Gunicorn:
    """A running gunicorn: its master, its API and its metrics."""

    master: subprocess.Popen[bytes]
    api: Client
    metrics: Client
    workers: int = field(default=WORKERS)

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

    def children(self) -> set[int]:
        """List the exporter of metrics, if there is one, and the workers."""
        return children(self.master.pid)

    def kill(self, worker: int) -> None:
        """Kill a worker, and wait for its successor."""
        before = len(self.children())
        os.kill(worker, signal.SIGKILL)
        wait_until("a new worker replaces it", lambda: worker not in self.children() and len(self.children()) >= before)

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

    def metrics_files(self) -> Path:
        """Return the directory of what the workers have counted."""
        [directory] = {file.parent for file in mapped_files(self.master.pid) if file.is_relative_to(SHARED_MEMORY)}
        return directory


@contextmanager
def gunicorn(database_url: str, workers: int = WORKERS, **settings: str) -> Iterator[Gunicorn]:
    """Serve a database until the block ends. Without ``METRICS_PORT`` in ``settings`` there is a port for metrics."""
    ports = {name: str(free_port()) for name in ("API_PORT", "METRICS_PORT")} | settings
    variables = environment(database_url, WEB_CONCURRENCY=str(workers), **ports)
    with (
        subprocess.Popen([sys.executable, "-m", "gunicorn"], env=variables) as master,
        Client(base_url=f"http://127.0.0.1:{variables['API_PORT']}") as api,
        Client(base_url=f"http://127.0.0.1:{variables['METRICS_PORT']}") as metrics,
    ):
        server = Gunicorn(master, api, metrics, workers)
        try:
            wait_until("gunicorn answers", server.answers)
            exporters = 1 if variables["METRICS_PORT"] != "0" else 0
            wait_until("all workers run", lambda: len(server.children()) == workers + exporters)
            yield server
        finally:
            end(master)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that a test started: politely at first, and by force when it takes too long."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def abandoned_metrics() -> set[Path]:
    """List the directories of counts that no process uses. Other runs on this machine may have some in use."""
    pids = [int(path.name) for path in PROC.iterdir() if path.name.isdecimal()]
    used = {file.parent for pid in pids for file in mapped_files(pid)}
    return set(SHARED_MEMORY.glob("accounts-metrics-*")) - used
