"""The measurements of a run, and figures derived from them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isnan
from statistics import median
from typing import Any

from benchmarks.driver import Result

AS_THEY_ARE = ("scaling", "ready", "memory", "masters", "seeding", "copying", "storm")
Key = tuple[int, int, str, str]  # users, workers, workload, server


@dataclass
class Findings:
    """All measurements of a run.

    ``results``: one for each round; servers took turns, so that rounds can be compared pairwise. ``scaling``: median
    milliseconds of reads in each turn, by workload and number of users. ``ready``: seconds until ready, ``memory`` and
    ``masters``: megabytes of the largest worker and the master, by server. ``seeding``, ``copying``: rows per second,
    by number of users. ``storm``: 95th percentiles during storms of sign-ins as multiples of those without, by path.
    """

    results: dict[Key, list[Result]] = field(default_factory=dict)
    statements: dict[tuple[str, str], float] = field(default_factory=dict)
    scaling: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    ready: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, list[float]] = field(default_factory=dict)
    masters: dict[str, list[float]] = field(default_factory=dict)
    seeding: dict[int, float] = field(default_factory=dict)
    copying: dict[int, float] = field(default_factory=dict)
    storm: dict[str, list[float]] = field(default_factory=dict)

    def groups(self) -> Sequence[tuple[int, int]]:
        """Return the measured pairs of users and workers."""
        return list(dict.fromkeys((users, workers) for users, workers, _, _ in self.results))

    @staticmethod
    def title(users: int, workers: int) -> str:
        """Return the title of such a pair."""
        return f"{users:,} users, {workers} worker{'s' if workers > 1 else ''}"

    def middle(self, key: Key, figure: str = "rate") -> float:
        """Return the median of all rounds."""
        figures: list[float] = [getattr(result, figure) for result in self.results[key]]
        return median(figures)

    def _unknown(self, key: Key, figure: str) -> bool:
        return isnan(self.middle(key, figure))

    def spread(self, key: Key, figure: str = "rate") -> float:
        """Return the range of a figure, as a share of its median."""
        figures: list[float] = [getattr(result, figure) for result in self.results[key]]
        return (max(figures) - min(figures)) / median(figures)

    def ratio(self, users: int, workers: int, workload: str, other: str) -> float | None:
        """Return the project's rate as a multiple of another server's; None if one of them was not measured."""
        own, others = (self.results.get((users, workers, workload, server)) for server in ("project", other))
        if not own or not others:
            return None
        if len(own) == len(others):
            return median(project.rate / another.rate for project, another in zip(own, others, strict=True))
        return median(result.rate for result in own) / median(result.rate for result in others)

    def cpu_ratio(self, users: int, workers: int, workload: str, other: str) -> float:
        """Return the project's CPU time, with PostgreSQL's, as a multiple of another server's in the same round."""
        own, others = (self.results[users, workers, workload, name] for name in ("project", other))
        return median(each.both / another.both for each, another in zip(own, others, strict=True))

    def growth(self, workload: str) -> float:
        """Return how many times longer a read takes at the largest size than at the smallest."""
        times = self.scaling[workload]
        return median(most / few for most, few in zip(times[max(times)], times[min(times)], strict=True))

    def as_json(self) -> dict[str, Any]:
        """Return everything, with text as keys."""
        return {
            "results": [
                dict(zip(("users", "workers", "workload", "server"), key, strict=True))
                | {
                    figure: round(self.middle(key, figure), 4)
                    for figure in Result.__annotations__
                    if not self._unknown(key, figure)
                }
                | {"spread": round(self.spread(key), 4), "statements": self.statements.get(key[2:])}
                for key in self.results
            ],
            **{name: getattr(self, name) for name in AS_THEY_ARE},
        }
