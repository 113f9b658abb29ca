"""CPU time, memory and open files of a process and its descendants, from Linux's /proc."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
TICK = 1 / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> Iterator[int]:
    """Yield the running child processes of ``pid``."""
    for task in (PROC / str(pid) / "task").glob("*/children"):
        yield from map(int, task.read_text().split())


def tree(pid: int) -> Iterator[int]:
    """Yield ``pid`` and all its descendants."""
    yield pid
    for child in children(pid):
        yield from tree(child)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of ``pid`` and its descendants, including those that have ended."""
    return sum(map(_cpu, tree(pid)))


def _cpu(pid: int) -> float:
    try:
        # The clock of the process, as clock_getcpuclockid(3) names it: nanoseconds, with threads that have ended.
        own = time.clock_gettime(~pid << 3 | 2)
        # The name, in parentheses, may contain blanks. After it, cutime is field 14, then cstime: of ended children.
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return 0.0
    return own + sum(map(int, fields[13:15])) * TICK


def private_bytes(pid: int) -> int:
    """Return the private memory of ``pid``, which it shares with no other process."""
    return _mapped(pid, "Private_")


def resident_bytes(pid: int) -> int:
    """Return the memory of ``pid``, with what it shares."""
    return _mapped(pid, "Rss:")


def _mapped(pid: int, kind: str) -> int:
    lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(kind))


def descriptors(pid: int) -> int:
    """Return the number of open file descriptors of ``pid``."""
    return len(list((PROC / str(pid) / "fd").iterdir()))
