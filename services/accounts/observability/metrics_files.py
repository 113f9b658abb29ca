"""Counts of several processes as one: prometheus-client's files, one set for each place among the processes.

A process that takes the place of one that has ended counts on in its files. So totals never go down, and there are
never more files than processes at once; with one for each process id, each worker that is replaced would leave some.
"""

import os
from pathlib import Path

from prometheus_client import values

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"  # where prometheus-client looks it up
_place = "main"


def use_files(directory: Path) -> None:
    """Count in files from now on; it holds for what is made to count after this, and for all forks."""
    os.environ[DIRECTORY] = str(directory)
    values.ValueClass = values.MultiProcessValue(lambda: _place)  # type: ignore[no-untyped-call]  # its own


def use_slot(place: str) -> None:
    """Count as the process in this place, which no other that is alive has."""
    global _place  # noqa: PLW0603  # there is one for each process
    _place = place
