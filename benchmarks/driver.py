"""Starts the load process (``benchmarks.load``), gives it jobs and measures what they cost the servers."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from benchmarks import procfs
from benchmarks.servers import Server


@dataclass(frozen=True)
class Result:
    """The result of a job: responses per second; per response, CPU ms of the server and PostgreSQL; latencies in ms."""

    rate: float
    cpu: float
    database_cpu: float
    p50: float
    p95: float
    p99: float

    @property
    def both(self) -> float:
        """The CPU milliseconds of the server and of PostgreSQL."""
        return self.cpu + self.database_cpu


class Driver:
    """Gives jobs to the load process, one at a time."""

    def __init__(self, process: subprocess.Popen[str], postmaster: int) -> None:
        self._process: Any = process
        self._postmaster = postmaster

    def measure(self, server: Server, job: dict[str, Any]) -> Result:
        """Run a job and return its result.

        Raises:
            RuntimeError: a response has an unexpected status.

        """
        before = server.cpu_seconds(), procfs.cpu_seconds(self._postmaster)
        report = self.perform(job)
        after = server.cpu_seconds(), procfs.cpu_seconds(self._postmaster)
        cpu, database_cpu = ((end - begin) * 1000 / report["answers"] for begin, end in zip(before, after, strict=True))
        latencies = [1000 * seconds for seconds in report["seconds"]]
        if len(latencies) == 1:
            return Result(1 / report["took"], cpu, database_cpu, *latencies * 3)
        cuts = quantiles(latencies, n=100)
        return Result(len(latencies) / report["took"], cpu, database_cpu, median(latencies), cuts[94], cuts[98])

    def perform(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run a job and return the load process's report."""
        print(json.dumps(job), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the load process has ended")
        report: dict[str, Any] = json.loads(line)
        if report["wrong"]:
            raise RuntimeError(f"{report['wrong']} unexpected responses to {job['requests'][0]}: {report['example']}")
        return report


@contextmanager
def driver(postmaster: int) -> Iterator[Driver]:
    """Run the load process during the block; ``postmaster`` is PostgreSQL's main process id."""
    command = [sys.executable, "-m", "benchmarks.load"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Driver(process, postmaster)
        finally:
            process.kill()
