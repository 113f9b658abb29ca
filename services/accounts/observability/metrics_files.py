"""Metric files that gunicorn's workers share: prometheus-client's multiprocess mode, with one set of files per slot.

By default the files are named by process id, so that every recycled worker leaves some behind. Here they are named by
slot: a new worker takes the slot of one that has ended, and counts on in its files. So totals never go down, not even
after ``kill -9``, and there are never more files than there were workers at once.
"""

import atexit
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from prometheus_client import values
from prometheus_client.multiprocess import mark_process_dead

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"  # where prometheus-client looks it up
PREFIX = "accounts-metrics-"
_slot = "master"


def use_files(parent: Path) -> None:
    """Keep metrics in files in a new directory, which is deleted when this process ends.

    Must run before ``accounts.observability.metrics`` is imported, and before the fork of any worker.
    """
    _delete_leftovers(parent)
    directory, master = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent), os.getpid()
    os.environ[DIRECTORY] = directory
    values.ValueClass = values.MultiProcessValue(lambda: _slot)  # type: ignore[no-untyped-call]  # prometheus-client's own
    # Forks inherit exit handlers.
    atexit.register(lambda: os.getpid() == master and shutil.rmtree(directory, ignore_errors=True))


def use_slot(slot: str) -> None:
    """Count in the files of ``slot``, which no other living process uses."""
    global _slot  # noqa: PLW0603  # one for each process
    _slot = slot


def free_slot(slot: str) -> None:
    """Drop the gauges of a worker that has ended, such as its connections in use. Its counters stay."""
    mark_process_dead(slot)  # type: ignore[no-untyped-call]  # prometheus-client's own


def _delete_leftovers(parent: Path) -> None:
    """Delete the directories of masters that were killed."""
    for directory in parent.glob(f"{PREFIX}*"):
        with suppress(PermissionError, ValueError):  # another user's process; a name of another form
            try:
                os.kill(int(directory.name.removeprefix(PREFIX).partition("-")[0]), 0)
            except ProcessLookupError:
                shutil.rmtree(directory, ignore_errors=True)
