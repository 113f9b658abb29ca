"""The other end of ``bench.load``: jobs for the process that loads, and what they have cost the servers."""

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
    """What one job has shown: answers a second, milliseconds of the server's cores, of PostgreSQL's, and of waiting."""

    rate: float
    cpu: float
    database_cpu: float
    p50: float
    p95: float
    p99: float


class Driver:
    """Hands jobs over to the process that loads, one at a time."""

    def __init__(self, process: subprocess.Popen[str], postmaster: int) -> None:
        self._process: Any = process
        self._postmaster = postmaster

    def measure(self, server: Server, job: dict[str, Any]) -> Result:
        """Do a job.

        Raises:
            RuntimeError: an answer has another status than it should.

        """
        before = server.cpu_seconds(), procfs.cpu_seconds(self._postmaster)
        found = self.perform(job)
        after = server.cpu_seconds(), procfs.cpu_seconds(self._postmaster)
        cpu, database_cpu = ((end - begin) * 1000 / found["answers"] for begin, end in zip(before, after, strict=True))
        seconds = [1000 * each for each in found["seconds"]]
        if len(seconds) == 1:
            return Result(1 / found["took"], cpu, database_cpu, *seconds * 3)
        cuts = quantiles(seconds, n=100)
        return Result(len(seconds) / found["took"], cpu, database_cpu, median(seconds), cuts[94], cuts[98])

    def perform(self, job: dict[str, Any]) -> dict[str, Any]:
        """Do a job, and return what the process says of it."""
        print(json.dumps(job), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that loads has ended")
        found: dict[str, Any] = json.loads(line)
        if found["wrong"]:
            raise RuntimeError(f"{found['wrong']} wrong answers to {job['requests'][0]}: {found['example']}")
        return found


@contextmanager
def driver(postmaster: int) -> Iterator[Driver]:
    """Start the process that loads; ``postmaster`` is PostgreSQL's first process. It ends with the block."""
    command = [sys.executable, "-m", "benchmarks.load"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Driver(process, postmaster)
        finally:
            process.kill()
