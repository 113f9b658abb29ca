"""Charts as numbers for inline SVG: stacked bars, or lines. They need no script and no style attribute.

A chart is as wide as its place: one unit of the SVG is a pixel or less. The same numbers are in its table.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby

WIDTH, HEIGHT = 480, 200
LEFT, RIGHT, TOP, BOTTOM = 48, 8, 14, 30  # around the plot, for the labels of its axes
PLOT_WIDTH, PLOT_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
LABELS = 4  # of the horizontal axis, at most
GAP = 0.25  # between bars, of the width of a bar and its gap
NICE = (1, 2, 4, 6, 10)  # times a power of ten, the highest number of the vertical axis

Values = Sequence[int | None]


@dataclass(frozen=True)
class Series:
    """The numbers of one colour. None was not measured."""

    label: str
    values: Values

    @property
    def total(self) -> int:
        """The sum."""
        return sum(value or 0 for value in self.values)

    @property
    def highest(self) -> int:
        """The highest number."""
        return max(value or 0 for value in self.values)

    @property
    def latest(self) -> int:
        """The last number that was measured."""
        return next((value for value in reversed(self.values) if value is not None), 0)


@dataclass(frozen=True)
class Bar:
    """A rectangle of a series, which is counted from 1."""

    series: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Line:
    """Connected points of a series."""

    series: int
    points: Sequence[tuple[float, float]]

    @property
    def path(self) -> str:
        """The points as SVG has them."""
        return " ".join(f"{x},{y}" for x, y in self.points)


@dataclass(frozen=True)
class Chart:
    """A chart and its table: a number of each series for each of ``labels``."""

    id: str
    title: str
    series: Sequence[Series]
    labels: Sequence[str]
    kind: str = "bars"  # or lines
    sums: bool = True  # whether the numbers can be added up
    short_labels: Sequence[str] = field(default=())

    @cached_property  # each bar and point needs it
    def highest(self) -> int:
        """The number at the top of the vertical axis."""
        columns = zip(*(each.values for each in self.series), strict=True)
        if self.kind == "bars":
            return nice(max(sum(value or 0 for value in column) for column in columns))
        return nice(max(each.highest for each in self.series))

    @property
    def ticks(self) -> list[tuple[float, int]]:
        """The heights of the horizontal lines, with their numbers."""
        numbers = {0, self.highest // 2, self.highest}
        return [(self._y(number), number) for number in sorted(numbers)]

    @property
    def marks(self) -> list[tuple[float, str]]:
        """Where the horizontal axis has labels. The last one is the present."""
        count = len(self.short_labels)
        step = -(-count // LABELS)
        return [(self._x(each), self.short_labels[each]) for each in range(count - 1, -1, -step)][::-1]

    @property
    def bars(self) -> list[Bar]:
        """The rectangles of the series, on top of one another."""
        bars, below = [], [0] * len(self.labels)
        width = round(PLOT_WIDTH / len(self.labels) * (1 - GAP), 1)
        for number, series in enumerate(self.series, 1):
            for place, value in enumerate(series.values):
                if value:
                    y = self._y(below[place] + value)
                    height = round(self._y(below[place]) - y, 1)
                    bars.append(Bar(number, round(self._x(place) - width / 2, 1), y, width, height))
                    below[place] += value
        return bars

    @property
    def lines(self) -> list[Line]:
        """The series as lines, which are interrupted where nothing was measured."""
        return [
            Line(number, [(self._x(place), self._y(value)) for place, value in points if value is not None])
            for number, series in enumerate(self.series, 1)
            for measured, points in groupby(enumerate(series.values), lambda point: point[1] is not None)
            if measured
        ]

    def _x(self, place: int) -> float:
        return round(LEFT + PLOT_WIDTH * (place + 0.5) / len(self.labels), 1)

    def _y(self, value: int) -> float:
        return round(TOP + PLOT_HEIGHT * (1 - value / self.highest), 1)


def nice(highest: int) -> int:
    """Return the number at the top of an axis: at least ``highest``, and easy to halve."""
    power = int("1" + "0" * (len(str(highest)) - 1))
    return next(factor * power for factor in NICE if factor * power >= highest)
