"""JavaScript in tests: the packages of ``tests/node``, installed once into ``.local/node``, and Node.js to run it.

A test that uses them is marked ``needs_node``. Where Node.js is missing it is skipped, but not in continuous
integration.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from support.project import ROOT

PINNED = ROOT / "services" / "tests" / "node"
INSTALLED = ROOT / ".local" / "node"
SECONDS = 300  # npm's registry may be slow
QUIET = ("--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")

needs_node = pytest.mark.skipif(
    not (shutil.which("node") and shutil.which("npm")) and "CI" not in os.environ,
    reason="there is no Node.js: apt install nodejs npm",
)


@cache
def node_modules() -> Path:
    """Install the pinned packages unless they are there, and return the folder ``node_modules``."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    with (INSTALLED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # pytest has several workers
        done = INSTALLED / "done"
        pins = (PINNED / "package-lock.json").read_text()
        if not done.exists() or done.read_text() != pins:
            done.unlink(missing_ok=True)
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(PINNED / name, INSTALLED)
            run("npm", "ci", *QUIET, folder=INSTALLED)
            done.write_text(pins)
    return INSTALLED / "node_modules"


def run_script(script: str, *arguments: str, **environment: str) -> str:
    """Run an ES module, which may import the pinned packages, and return what it prints."""
    folder = node_modules().parent
    return run("node", "--input-type=module", "-", *arguments, folder=folder, script=script, **environment)


@contextmanager
def running_script(script: str, *arguments: str) -> Iterator[str]:
    """Run an ES module until the block ends, and return the first line that it prints, such as the URL it serves."""
    folder = node_modules().parent
    command = ["node", "--input-type=module", "--eval", script, *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def run_tool(name: str, *arguments: str, folder: Path) -> str:
    """Run a program of the pinned packages in a folder, and return what it prints. Files there may import them too."""
    modules = folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(node_modules())
    return run(str(modules / ".bin" / name), *arguments, folder=folder)


def run(*command: str, folder: Path, script: str = "", **environment: str) -> str:
    """Run a command, which has to succeed, and return its standard output."""
    result = subprocess.run(
        command, cwd=folder, env=os.environ | environment, input=script, capture_output=True, text=True, check=False,
        timeout=SECONDS,
    )  # fmt: skip
    assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout}{result.stderr}"
    return result.stdout
