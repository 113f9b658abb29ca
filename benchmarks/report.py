"""Output of a comparison: tables, JSON and a chart."""

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import chart
from benchmarks.findings import Findings, Key

DIRECTORY = Path(__file__).parents[1] / ".local" / "bench"
HEAD = (
    "",
    "",
    "per second",
    "spread",
    "project",
    "CPU ms",
    "SQL ms",
    "both",
    "spread",
    "p50 ms",
    "p95",
    "p99",
    "statements",
)
WIDTHS = (19, 13, 10, 8, 9, 8, 8, 8, 8, 9, 9, 9, 11)


def publish(findings: Findings, options: dict[str, Any]) -> None:
    """Print the tables and write the files."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    lines = [*_rates(findings), *_scaling(findings), *_others(findings)]
    print("\n".join(lines))
    (DIRECTORY / "compare.txt").write_text("\n".join(lines) + "\n")
    (DIRECTORY / "compare.json").write_text(json.dumps(options | findings.as_json(), indent=1) + "\n")
    (DIRECTORY / "compare.svg").write_text(chart.draw(findings))
    print(f"\nSaved in {DIRECTORY} as text, JSON and SVG.")


def _rates(findings: Findings) -> Iterable[str]:
    for users, workers in findings.groups():
        yield f"\n{findings.title(users, workers)} per server: 'project' is its rate in that server's\n"
        yield _line(HEAD)
        workload = ""
        for key in sorted((key for key in findings.results if key[:2] == (users, workers)), key=_by_workload(findings)):
            yield _line(["" if key[2] == workload else key[2], *_row(findings, key)])
            workload = key[2]


def _by_workload(findings: Findings) -> Any:
    order = list(dict.fromkeys(workload for _, _, workload, _ in findings.results))
    return lambda key: order.index(key[2])


def _row(findings: Findings, key: Key) -> list[str]:
    ratio = "" if key[3] == "project" else f"{findings.ratio(*key) or 0:.2f} x"
    row = [key[3], f"{findings.middle(key):.1f}", f"{findings.spread(key):.0%}", ratio]
    if (key[2], key[3]) not in findings.statements:  # not a server: only its rate is measured
        return row
    figures = [f"{findings.middle(key, each):.2f}" for each in ("cpu", "database_cpu", "both", "p50", "p95", "p99")]
    figures.insert(3, f"{findings.spread(key, 'both'):.0%}")
    return [*row, *figures, f"{findings.statements[key[2:]]:.1f}"]


def _line(cells: Iterable[str]) -> str:
    padded = (f"{cell:{'<' if place < 2 else '>'}{WIDTHS[place]}}" for place, cell in enumerate(cells))
    return "".join(padded).rstrip()


def _scaling(findings: Findings) -> Iterable[str]:
    sizes = list(next(iter(findings.scaling.values())))
    yield "\nthe project, one request at a time: p50 in ms, by number of users\n"
    yield f"{'':22}" + "".join(f"{users:>12,}" for users in sizes)
    for workload, times in findings.scaling.items():
        yield f"{workload:22}" + "".join(f"{median(times[users]):12.2f}" for users in sizes)


def _others(findings: Findings) -> Iterable[str]:
    yield f"\n{'':19}{'ready in s':>12}{'MB/worker':>13}{'MB of the master':>18}"
    for name, times in findings.ready.items():
        yield f"{name:19}{median(times):12.2f}{max(findings.memory[name]):13.1f}{max(findings.masters[name]):18.1f}"
    yield f"\n{'rows per second':19}{'seeder':>12}{'COPY':>13}{'ratio':>8}"
    for users, rate in findings.seeding.items():
        copying = findings.copying[users]
        yield f"{users:<19,}{rate:12,.0f}{copying:13,.0f}{rate / copying:8.2f}"
