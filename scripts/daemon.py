"""Background processes, identified by a file lock that they hold: a process id alone may have been reused."""

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import IO

START_PATIENCE = 10.0
STOP_PATIENCE = 25.0
POLL = 0.05


@contextmanager
def locked(path: Path, patience: float = 0) -> Iterator[IO[str]]:
    """Hold an exclusive lock on the file ``path``, which is created if missing.

    Raises:
        BlockingIOError: another process still holds it after ``patience`` seconds.

    """
    deadline = time.monotonic() + patience
    with path.open("a+") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(POLL)
        yield file


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of ``log``; empty if the file is missing."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


class Daemon:
    """A process in its own session. ``file`` contains its process id, and is locked by it and its forks."""

    def __init__(self, file: Path, log: Path) -> None:
        self.file = file
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def running(self) -> bool:
        """Return whether the process or any of its forks is alive."""
        if not self.file.exists():
            return False
        try:
            with locked(self.file):
                return False
        except BlockingIOError:
            return True

    def whole(self) -> bool:
        """Return whether the process itself is alive, not only forks that outlived it."""
        try:
            os.kill(int(self.file.read_text()), 0)
        except (OSError, ValueError):
            return False
        return self.running()

    def start(self, command: Sequence[str], *, cwd: Path, environment: Mapping[str, str]) -> None:
        """Start ``command`` with a new log; the previous log is kept as ``….1``.

        Raises:
            BlockingIOError: an earlier process is still alive.

        """
        with locked(self.file, START_PATIENCE) as lock:
            with suppress(FileNotFoundError):
                self.log.replace(f"{self.log}.1")
            with self.log.open("wb") as log:
                lock.truncate(0)
                self.process = subprocess.Popen(
                    ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(self.file), *command],
                    cwd=cwd,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=[lock.fileno()],
                )

    def ended(self) -> bool:
        """Return whether the process that this object started has ended."""
        return self.process is not None and self.process.poll() is not None

    def stop(self, request: Signals = SIGTERM) -> None:
        """Signal the process and its forks to end; kill them after 25 seconds."""
        for signal in (request, SIGKILL):
            if self.running():
                # Safe: the id of a living process group is not reused.
                with suppress(ProcessLookupError):
                    os.killpg(int(self.file.read_text()), signal)
                self._wait()
        if self.process is not None:
            self.process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + STOP_PATIENCE
        while self.running() and time.monotonic() < deadline:
            time.sleep(POLL)
