"""What has been measured, and how it compares."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isnan
from statistics import median
from typing import Any

from benchmarks.driver import Result

Key = tuple[int, int, str, str]  # users, workers, workload, server


@dataclass
class Findings:
    """Everything that one run has found. The rounds of ``results`` were by turns, so that they compare one by one.

    ``flat`` has the milliseconds of reads, a median for each turn, by workload and number of users; ``ready`` seconds,
    ``memory`` megabytes by server; ``seeding`` and ``copying`` rows a second by number of users; ``storm`` the 95th
    percentile during a storm of sign-ins as a multiple of the one without, by path.
    """

    results: dict[Key, list[Result]] = field(default_factory=dict)
    statements: dict[tuple[str, str], float] = field(default_factory=dict)
    flat: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    ready: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, list[float]] = field(default_factory=dict)
    seeding: dict[int, float] = field(default_factory=dict)
    copying: dict[int, float] = field(default_factory=dict)
    storm: dict[str, float] = field(default_factory=dict)

    def groups(self) -> Sequence[tuple[int, int]]:
        """Which numbers of users and workers were measured."""
        return list(dict.fromkeys((users, workers) for users, workers, _, _ in self.results))

    @staticmethod
    def title(users: int, workers: int) -> str:
        """Name what was measured together."""
        return f"{users:,} users, {workers} worker{'s' if workers > 1 else ''}"

    def middle(self, key: Key, figure: str = "rate") -> float:
        """The median of all rounds."""
        figures: list[float] = [getattr(each, figure) for each in self.results[key]]
        return median(figures)

    def _unknown(self, key: Key, figure: str) -> bool:
        return isnan(self.middle(key, figure))

    def spread(self, key: Key) -> float:
        """How far the rates of the rounds are apart, as a share of the median."""
        rates = [each.rate for each in self.results[key]]
        return (max(rates) - min(rates)) / median(rates)

    def ratio(self, users: int, workers: int, workload: str, other: str) -> float | None:
        """The project's rate as a multiple of another's; None where one of them was not measured."""
        ours, theirs = (self.results.get((users, workers, workload, each)) for each in ("project", other))
        if not ours or not theirs:
            return None
        if len(ours) == len(theirs):
            return median(our.rate / their.rate for our, their in zip(ours, theirs, strict=True))
        return median(each.rate for each in ours) / median(each.rate for each in theirs)

    def growth(self, workload: str) -> float:
        """How often as long a read takes at the largest number of users as at the smallest."""
        times = self.flat[workload]
        return median(most / few for most, few in zip(times[max(times)], times[min(times)], strict=True))

    def costs(self) -> dict[str, float]:
        """The time of a core that the project takes for each request, as a multiple of the floor's for users/me.

        So that neither the machine nor what else it does counts.
        """
        return {
            f"{workload}, {self.title(users, workers)}": self.middle((users, workers, workload, name), "cpu")
            / self.middle((users, workers, "users/me", "floor"), "cpu")
            for users, workers, workload, name in self.results
            if name == "project"
        }

    def as_json(self) -> dict[str, Any]:
        """Everything, with keys of text."""
        return {
            "results": [
                dict(zip(("users", "workers", "workload", "server"), key, strict=True))
                | {
                    each: round(self.middle(key, each), 4)
                    for each in Result.__annotations__
                    if not self._unknown(key, each)
                }
                | {"spread": round(self.spread(key), 4), "statements": self.statements.get(key[2:])}
                for key in self.results
            ],
            **{name: getattr(self, name) for name in ("flat", "ready", "memory", "seeding", "copying", "storm")},
        }
