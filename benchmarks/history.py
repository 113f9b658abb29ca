"""The figures of earlier runs on this machine, one line each, so that a slow-down shows."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median


def medians(path: Path) -> dict[str, float]:
    """The median of each figure over all runs; empty before the first."""
    found: dict[str, list[float]] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        for name, figure in json.loads(line)["figures"].items():
            found.setdefault(name, []).append(figure)
    return {name: median(figures) for name, figures in found.items()}


def add(path: Path, figures: Mapping[str, float]) -> None:
    """Add a run."""
    with path.open("a") as file:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        print(json.dumps({"at": at, "figures": {name: round(each, 4) for name, each in figures.items()}}), file=file)
