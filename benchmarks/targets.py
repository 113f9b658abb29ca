"""What the project is meant to reach, as ratios of one run: absolute figures are the machine's, and the hour's."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from benchmarks.findings import Findings


@dataclass(frozen=True)
class Verdict:
    """What was found, and what is wanted: at least ``wanted``, or at most where ``most``."""

    name: str
    found: float
    wanted: float
    most: bool = False

    @property
    def met(self) -> bool:
        """Whether it is as wanted."""
        return self.found <= self.wanted if self.most else self.found >= self.wanted


RATIOS = (
    ("members", "textbook", 10.0),
    ("members", "floor", 0.4),
    ("members, signed in", "floor", 0.3),
    ("users/me", "floor", 0.35),
    ("login", "argon2 alone", 0.9),
)


def verdicts(findings: Findings) -> Iterator[Verdict]:
    """Compare everything that was measured with what is wanted."""
    for users, workers in findings.groups():
        for workload, other, wanted in RATIOS:
            if (found := findings.ratio(users, workers, workload, other)) is not None:
                yield Verdict(f"{workload} / {other}, {findings.title(users, workers)}", found, wanted)
    for path, found in findings.storm.items():
        yield Verdict(f"{path} p95 in a storm of sign-ins / idle", found, 2, most=True)
    for workload, times in findings.flat.items():
        if len(times) > 1:
            yield Verdict(
                f"{workload} p50, {max(times):,} / {min(times):,} users", findings.growth(workload), 1.25, most=True
            )
    largest = max(findings.seeding)
    yield Verdict(f"seeding / COPY, {largest:,} users", findings.seeding[largest] / findings.copying[largest], 0.5)
    yield Verdict("MB of a worker's own", max(findings.memory["project"]), 90, most=True)
    yield Verdict("seconds until ready", median(findings.ready["project"]), 3, most=True)
