"""The rates as an SVG bar chart: one group of bars per workload, on a logarithmic scale."""

from collections.abc import Iterator
from math import log10
from xml.sax.saxutils import escape

from benchmarks.findings import Findings

COLOURS = {
    "project": "#1f6feb",
    "good": "#2da44e",
    "textbook": "#b35900",
    "crudauth": "#8250df",
    "fullauth": "#bf3989",
    "floor": "#6e7781",
    "pgbench": "#afb8c1",
    "argon2 alone": "#6e7781",
}
LEFT, BAR, GAP, DECADE, LOWEST = 230, 16, 14, 110, 0.1
FONT = 'font-family="system-ui, sans-serif" font-size="12" fill="#57606a"'


def draw(findings: Findings) -> str:
    """Return the chart as SVG."""
    parts, y = [], 24
    for users, workers in findings.groups():
        parts.append(_text(10, y, f"Requests per second (logarithmic), {findings.title(users, workers)} per server"))
        y += GAP
        for workload in dict.fromkeys(key[2] for key in findings.results if key[:2] == (users, workers)):
            bars = list(_bars(findings, users, workers, workload))
            parts.append(_text(10, y + BAR - 4, workload))
            for place, (name, rate) in enumerate(bars):
                parts.append(_bar(y + place * BAR, name, rate))
            y += len(bars) * BAR + GAP
        y += 2 * GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + 7 * DECADE}" height="{y}" {FONT}>'
    return "\n".join([head, '<rect width="100%" height="100%" fill="#ffffff"/>', *parts, "</svg>", ""])


def _bars(findings: Findings, users: int, workers: int, workload: str) -> Iterator[tuple[str, float]]:
    for name in COLOURS:
        if (key := (users, workers, workload, name)) in findings.results:
            yield name, findings.middle(key)


def _bar(y: int, name: str, rate: float) -> str:
    width = max(1.0, DECADE * log10(max(rate, LOWEST) / LOWEST))
    bar = f'<rect x="{LEFT}" y="{y}" width="{width:.0f}" height="{BAR - 3}" fill="{COLOURS[name]}"/>'
    return bar + _text(LEFT - 90, y + BAR - 5, name) + _text(LEFT + int(width) + 6, y + BAR - 5, f"{rate:,.1f}")


def _text(x: int, y: int, text: str) -> str:
    return f'<text x="{x}" y="{y}">{escape(text)}</text>'
