"""Output of ``make bench ARGS=pages``: a row for each route, the slow pages, and all of them in a file."""

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from benchmarks.report import DIRECTORY

if TYPE_CHECKING:
    from benchmarks.pages import Measured

TARGET = 50.0  # ms
HEAD = (
    f"{'page':52}{'requests':>9}{'statements':>12}{'p50 ms':>8}{'max':>8}{'CPU ms':>8}{'slowest SQL':>13}{'bytes':>9}"
)


def publish(measured: "Sequence[Measured]") -> None:
    """Print the table, and write all pages to a file.

    Raises:
        SystemExit: with status 1, a page takes longer than the target.

    """
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    slow = sorted((each for each in measured if each.p50 > TARGET), key=lambda each: -each.p50)
    lines = [HEAD, *_routes(measured), f"{len(measured)} pages; {len(slow)} take longer than {TARGET:.0f} ms"]
    print("\n".join([*lines, *map(_page, slow[:40])]))
    everything = sorted(measured, key=lambda each: -each.p50)
    (DIRECTORY / "pages.txt").write_text("\n".join([*lines, "", *map(_page, everything)]) + "\n")
    if slow:
        sys.exit(1)


def _routes(measured: "Sequence[Measured]") -> Iterator[str]:
    """Yield a row for each route and user, with the worst figures of its pages."""

    def key(each: "Measured") -> tuple[str, str]:
        return each.visit.route, each.visit.email.partition("@")[0]

    for (route, user), pages in groupby(sorted(measured, key=key), key):
        group = list(pages)
        counts = sorted({each.statements for each in group})
        statements = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        worst, longest = max(each.p50 for each in group), max(max(each.times) for each in group)
        cpu = max(each.cpu for each in group)
        slowest, size = max(each.slowest for each in group), max(each.size for each in group)
        name = f"{route} {user and f'({user})'}"
        yield f"{name:52.52}{len(group):9}{statements:>12}{worst:8.1f}{longest:8.1f}{cpu:8.1f}{slowest:13.1f}{size:9}"


def _page(each: "Measured") -> str:
    statement = " ".join(each.statement.split())
    return (
        f"{each.p50:7.1f} {max(each.times):7.1f} ms, CPU {each.cpu:.1f}, {each.statements} statements, "
        f"{each.size} bytes, {each.place}: "
        f"{each.visit.url} ({each.visit.email})\n        {each.slowest:.1f} ms: {statement[:200]}"
    )
