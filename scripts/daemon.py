"""Background processes that are known by a lock which they hold, because a process id may since belong to another."""

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
    """Hold the exclusive lock of ``path``, which is created where it is missing.

    Raises:
        BlockingIOError: somebody else still holds it after ``patience`` seconds.

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
    """The last lines of ``log``; empty where there is none."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


class Daemon:
    """A process in its own session. It and its forks inherit the lock of ``file``, which holds its process id."""

    def __init__(self, file: Path, log: Path) -> None:
        self.file = file
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def running(self) -> bool:
        """Whether the process or any of its forks is alive."""
        if not self.file.exists():
            return False
        try:
            with locked(self.file):
                return False
        except BlockingIOError:
            return True

    def whole(self) -> bool:
        """Whether the process itself is alive, not only forks that it has left behind."""
        try:
            os.kill(int(self.file.read_text()), 0)
        except (OSError, ValueError):
            return False
        return self.running()

    def start(self, command: Sequence[str], *, cwd: Path, environment: Mapping[str, str]) -> None:
        """Start ``command`` with a fresh log; the previous one is kept beside it.

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
        """Whether the process that this object started is over."""
        return self.process is not None and self.process.poll() is not None

    def stop(self, request: Signals = SIGTERM) -> None:
        """Ask the process and its forks to end; kill them when they have not after 25 seconds."""
        for signal in (request, SIGKILL):
            if self.running():
                # The id is safe to use: the system gives none away that still names a living process group.
                with suppress(ProcessLookupError):
                    os.killpg(int(self.file.read_text()), signal)
                self._wait()
        if self.process is not None:
            self.process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + STOP_PATIENCE
        while self.running() and time.monotonic() < deadline:
            time.sleep(POLL)
