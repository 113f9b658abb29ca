"""Figures of earlier runs on this machine, one JSON line each, to detect slow-downs."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median


def medians(path: Path) -> dict[str, float]:
    """Return the median of each figure over all runs; empty before the first run."""
    figures_by_name: dict[str, list[float]] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        for name, figure in json.loads(line)["figures"].items():
            figures_by_name.setdefault(name, []).append(figure)
    return {name: median(figures) for name, figures in figures_by_name.items()}


def add(path: Path, figures: Mapping[str, float]) -> None:
    """Append a run."""
    with path.open("a") as file:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        print(json.dumps({"at": at, "figures": {name: round(value, 4) for name, value in figures.items()}}), file=file)
