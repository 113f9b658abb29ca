"""The measurements. All servers run at the same time and take turns, so that other load affects all of them alike."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import nan

from benchmarks import ceiling, login_storm, statements
from benchmarks.api import Api
from benchmarks.data import PASSWORD, Data
from benchmarks.driver import Driver, Result
from benchmarks.findings import Findings
from benchmarks.running import Running, running
from benchmarks.servers import Server
from benchmarks.workloads import HASHED, HASHING_SECONDS, SCALED, SERVERS, Workloads
from postgres import Cluster

TEXTBOOK_MEMBERS = 10_000  # more would take seconds for each page: the textbook loads all members
COUNTED_SECONDS = 0.2
STORM_SAMPLES = 150  # of each path in each round
SCALING_TURNS = 4  # per round; short ones, since milliseconds are compared


@dataclass(frozen=True)
class Study:
    """A comparison in ``rounds`` rounds, with ``seconds`` for each workload; it fills ``findings``."""

    cluster: Cluster
    driver: Driver
    findings: Findings
    rounds: int
    seconds: float
    servers: Sequence[str]

    def compare(self, data: Data, workers: int, *, hashing: bool) -> None:
        """Measure every workload on every server, round by round. ``hashing`` includes those that hash passwords."""
        with self._started(self.servers, data, workers) as started:
            if not self.findings.statements:
                self._count(started, data)
            for _ in range(self.rounds):
                for workload, name in _measurements(self.servers, data, hashing=hashing):
                    result = self._measure(*started[name], workload)
                    key = data.users, workers, workload, name
                    self.findings.results.setdefault(key, []).append(result)
                    if (workload, name) == ("login", "project"):
                        alone = Result(*ceiling.hashes(HASHING_SECONDS), 0, nan, nan, nan)
                        self.findings.results.setdefault((*key[:3], "argon2 alone"), []).append(alone)
            token = Api(started["project"][0].port).tokens(data.emails[0], PASSWORD)["access_token"]
            for workload, rate in ceiling.pgbench(data, token).items():
                alone = Result(rate, *[nan] * 5)
                self.findings.results.setdefault((data.users, workers, workload, "pgbench"), []).append(alone)
            for name, (each, _) in started.items():
                self.findings.memory.setdefault(name, []).append(each.worker_megabytes())
                self.findings.masters.setdefault(name, []).append(each.master_megabytes())

    def scaling(self, all_data: Sequence[Data]) -> None:
        """Measure the same pages of the project at every size, one request at a time."""
        with ExitStack() as stack:
            each_size = [stack.enter_context(self._started(("project",), data, 1))["project"] for data in all_data]
            for turn in range(1 + SCALING_TURNS * self.rounds):
                for workload in SCALED:
                    for each, workloads in each_size:
                        job = workloads.job(workload, self.seconds / SCALING_TURNS, 1)
                        p50 = self.driver.measure(each, job).p50
                        times = self.findings.scaling.setdefault(workload, {})
                        # The first turn warms up.
                        times.setdefault(workloads.target.data.users, []).extend([p50] if turn else [])

    def storm(self, data: Data) -> None:
        """Measure cheap requests of one worker during storms of sign-ins."""
        with self._started(("project",), data, 1) as started:
            for _ in range(self.rounds):
                idle, stormy, _ = login_storm.measure(started["project"][0].port, STORM_SAMPLES)
                for path in login_storm.PATHS:
                    ratio = login_storm.percentiles(stormy[path])[1] / login_storm.percentiles(idle[path])[1]
                    self.findings.storm.setdefault(path, []).append(ratio)

    @contextmanager
    def _started(self, names: Sequence[str], data: Data, workers: int) -> Iterator[Running]:
        with running(self.cluster, names, data, workers) as started:
            for name, (each, _) in started.items():
                self.findings.ready.setdefault(name, []).append(each.ready)
            yield started

    def _measure(self, each: Server, workloads: Workloads, workload: str) -> Result:
        return self.driver.measure(each, workloads.job(workload, self.seconds))

    def _count(self, started: Running, data: Data) -> None:
        for workload, name in _measurements(self.servers, data, hashing=True):
            first, job = (started[name][1].job(workload, COUNTED_SECONDS, 1) for _ in range(2))
            self.driver.perform(first)  # without the statements that each connection runs once
            with statements.counting(self.cluster) as calls:
                answers = self.driver.perform(job)["answers"]
                self.findings.statements[workload, name] = calls() / answers


def _measurements(servers: Sequence[str], data: Data, *, hashing: bool) -> Iterator[tuple[str, str]]:
    for workload, names in SERVERS.items():
        if workload in HASHED and not hashing:
            continue
        for name in (each for each in names if each in servers):
            if name != "textbook" or "members" not in workload or data.users <= TEXTBOOK_MEMBERS:
                yield workload, name
