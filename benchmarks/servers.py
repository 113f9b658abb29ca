"""The servers that are compared: each is gunicorn with workers, on a port of its own."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import procfs
from benchmarks.api import Api

PATIENCE = 60
POLL = 0.02
GUNICORN = (sys.executable, "-m", "gunicorn")
PLAIN = (*GUNICORN, "--config", "python:benchmarks.plain")
# All but the floor log every request.
COMMANDS = {
    "project": GUNICORN,
    "good": (*PLAIN, "--access-logfile", "-", "benchmarks.good.app:app"),
    "textbook": (*PLAIN, "--access-logfile", "-", "benchmarks.textbook:app"),
    "floor": (*PLAIN, "benchmarks.floor:app"),
}
READY = {"project": "/health/ready"}  # any response of the others means that they are ready


@dataclass(frozen=True)
class Server:
    """A running server, and how many seconds it took to become ready."""

    name: str
    port: int
    pid: int
    ready: float

    def cpu_seconds(self) -> float:
        """Return the CPU time of all its processes."""
        return procfs.cpu_seconds(self.pid)

    def worker_megabytes(self) -> float:
        """Return the private memory of its largest worker."""
        return max(map(procfs.private_bytes, procfs.children(self.pid))) / 1e6

    def master_megabytes(self) -> float:
        """Return the resident memory of the process that starts the workers."""
        return procfs.resident_bytes(self.pid) / 1e6


def environment(database_url: str, secret: str, **more: str) -> dict[str, str]:
    """Return a production environment, with rate limits that no load reaches."""
    settings = {
        "ENVIRONMENT": "production",
        "PUBLIC_URL": "http://localhost:8000",
        "DATABASE_URL": database_url,
        "POSTGRES_PASSWORD": "",
        "SECRET_KEY": secret,
        "SIGN_UP": "open",
        "THROTTLE_SCALE": "1000000",
        "SESSIONS_PER_USER": "50",  # a page
        "ACCESS_TOKEN_SECONDS": "86400",  # longer than a run: its users sign in once
    }
    return os.environ | settings | more


@contextmanager
def server(
    name: str,
    workers: int,
    settings: Mapping[str, str],
    services: Path | None = None,
    command: Sequence[str] | None = None,
) -> Iterator[Server]:
    """Run a server during the block, and yield it when it is ready.

    Args:
        services: the directory of the code; the current one without.
        command: one that is not in ``COMMANDS``.

    """
    port = free_port()
    settings = {**settings, "API_PORT": str(port), "WEB_CONCURRENCY": str(workers)}
    started = time.perf_counter()
    quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command or COMMANDS[name], env=settings, cwd=services, **quiet) as process:
        try:
            _wait(process, port, READY.get(name, "/"))
            yield Server(name, port, process.pid, time.perf_counter() - started)
        finally:
            process.terminate()


def free_port() -> int:
    """Return an unused port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait(process: subprocess.Popen[bytes], port: int, path: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with closing(Api(port)) as api:
                if api.request("GET", path)[0] == http.client.OK or path == "/":
                    return
        except OSError:
            pass
        time.sleep(POLL)
    raise TimeoutError("gunicorn did not become ready")
