"""Processes that tests start: their environment, their ports, and their resources from /proc."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from support.waiting import PATIENCE

PROC = Path("/proc")
SECRET = "a secret of the tests which is long enough"


def free_port() -> int:
    """Find a loopback port that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def environment(database_url: str, **more: str) -> dict[str, str]:
    """Return the variables of a process in production, with the suite's secret and rate limits that no test reaches."""
    production = {"ENVIRONMENT": "production", "SECRET_KEY": SECRET, "PUBLIC_URL": "http://localhost:8000"}
    return os.environ | production | {"DATABASE_URL": database_url} | more


def python(*arguments: str, env: Mapping[str, str] | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run Python to its end and capture what it prints.

    Raises:
        subprocess.TimeoutExpired: it takes longer than any program of the tests does.

    """
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, env=env, input=stdin, capture_output=True, text=True, check=False, timeout=2 * PATIENCE
    )


def children(pid: int) -> set[int]:
    """List the running processes that ``pid`` has started itself."""
    return {int(child) for task in (PROC / f"{pid}/task").glob("*/children") for child in task.read_text().split()}


def private_bytes(pid: int) -> int:
    """Measure the memory that a process shares with no other."""
    lines = (PROC / f"{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def descriptors(pid: int) -> int:
    """Count the open descriptors of a process."""
    return len(list((PROC / f"{pid}/fd").iterdir()))
