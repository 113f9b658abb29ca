"""Targets and whether they are reached, with the figures of earlier runs. Each benchmark returns its verdicts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import history

HISTORY = Path(__file__).parents[1] / ".local" / "bench" / "history.jsonl"


@dataclass(frozen=True)
class Verdict:
    """A measured value and its target: at least ``target``, or at most if ``most``."""

    name: str
    measured: float
    target: float
    most: bool = False

    @property
    def reached(self) -> bool:
        """Whether the target is reached."""
        return self.measured <= self.target if self.most else self.measured >= self.target


def publish(verdicts: Sequence[Verdict]) -> None:
    """Print the table, with the medians of earlier runs, and add the figures to these."""
    print("\n".join(table(verdicts)))
    HISTORY.parent.mkdir(parents=True, exist_ok=True)
    history.add(HISTORY, {each.name: each.measured for each in verdicts})


def table(verdicts: Sequence[Verdict]) -> Iterable[str]:
    """Write a line for each target."""
    before = history.medians(HISTORY)
    yield f"\n{'target':55}{'target':>9}{'measured':>9}{'before':>9}{'change':>9}"
    for each in verdicts:
        target = f"{'<=' if each.most else '>='} {each.target:g}"
        known = _change(each.measured, before.get(each.name))
        yield f"{each.name:55}{target:>9}{each.measured:9.2f}{known}  {'reached' if each.reached else 'MISSED'}"
    yield f"{sum(each.reached for each in verdicts)} of {len(verdicts)} targets are reached."


def _change(measured: float, before: float | None) -> str:
    return f"{'-':>9}{'':9}" if not before else f"{before:9.2f}{measured / before - 1:+9.0%}"
