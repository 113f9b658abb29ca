"""Performance targets, as ratios within one run: absolute figures depend on the machine and its load."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from benchmarks.findings import Findings


@dataclass(frozen=True)
class Verdict:
    """A measured value and its target: at least ``target``, or at most if ``most``."""

    name: str
    measured: float
    target: float
    most: bool = False

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return self.measured <= self.target if self.most else self.measured >= self.target


RATIOS = (
    ("members", "textbook", 10.0),
    ("members", "floor", 0.4),
    ("members signed in", "floor", 0.3),
    ("users/me", "floor", 0.35),
    ("login", "argon2 alone", 0.9),
)


def verdicts(findings: Findings) -> Iterator[Verdict]:
    """Compare the measurements with their targets."""
    for users, workers in findings.groups():
        for workload, other, target in RATIOS:
            if (measured := findings.ratio(users, workers, workload, other)) is not None:
                yield Verdict(f"{workload} / {other}, {findings.title(users, workers)}", measured, target)
    for path, measured in findings.storm.items():
        yield Verdict(f"{path} p95 in a storm of sign-ins / idle", measured, 2, most=True)
    for workload, times in findings.scaling.items():
        if len(times) > 1:
            yield Verdict(
                f"{workload} p50, {max(times):,} / {min(times):,} users", findings.growth(workload), 1.25, most=True
            )
    largest = max(findings.seeding)
    yield Verdict(f"seeding / COPY, {largest:,} users", findings.seeding[largest] / findings.copying[largest], 0.5)
    yield Verdict("private MB of a worker", max(findings.memory["project"]), 90, most=True)
    yield Verdict("seconds until ready", median(findings.ready["project"]), 3, most=True)
