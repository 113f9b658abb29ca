"""What processes have used, as Linux counts it: processor time and memory of a process and all that it has started."""

import os
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
TICK = 1 / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> Iterator[int]:
    """Find the processes that ``pid`` has started itself and that still run."""
    for task in (PROC / str(pid) / "task").glob("*/children"):
        yield from map(int, task.read_text().split())


def tree(pid: int) -> Iterator[int]:
    """Find ``pid`` and all that it has started, directly or not."""
    yield pid
    for child in children(pid):
        yield from tree(child)


def cpu_seconds(pid: int) -> float:
    """Add the processor time up that ``pid`` and all that it has started have had, those included that have ended."""
    return sum(map(_cpu, tree(pid)))


def _cpu(pid: int) -> float:
    try:
        # The name, in brackets, may hold blanks; behind it utime is the 12th field, then stime, cutime and cstime.
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) * TICK


def private_bytes(pid: int) -> int:
    """Measure the memory that would come back if ``pid`` ended: what it shares with no other process."""
    lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def descriptors(pid: int) -> int:
    """Count what ``pid`` has open."""
    return len(list((PROC / str(pid) / "fd").iterdir()))
