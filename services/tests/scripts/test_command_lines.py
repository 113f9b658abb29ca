"""A wrong command line is refused in one line, with a status that says so, before anything is started or written."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from arguments import minutes
from benchmarks import compare, cpu, mail, pages, user_import
from faults.__main__ import parse as parse_faults
from support.project import Project

PYTHON = sys.executable
SCRIPTS = [
    ("scripts/backup",),
    ("scripts/backup", "podman", "create"),
    ("scripts/backup", "native", "verify"),
    ("scripts/backup", "native", "restore"),
    ("scripts/backup", "native", "restore", "missing.dump"),
    ("scripts/bootstrap", "unknown"),
    ("scripts/docker", "unknown"),
    ("scripts/engine", "podman"),
    ("scripts/native",),
    ("scripts/native", "unknown"),
    ("scripts/native", "tool"),
    ("scripts/user-files",),
    ("scripts/user-files", "podman", "export", "users.jsonl"),
    ("scripts/user-files", "native", "remove", "users.jsonl"),
    ("scripts/user-files", "native", "import", "missing.jsonl"),
    (PYTHON, "scripts/environment.py", "unknown"),
    (PYTHON, "scripts/environment.py", "get"),
    (PYTHON, "scripts/rename.py", "Guests"),
    (PYTHON, "scripts/revision.py"),
    (PYTHON, "scripts/rotate_keys.py", "SECRET_KEI"),
    (PYTHON, "deploy/hold_connections.py", "localhost", "http", "1", "1"),
    (PYTHON, "deploy/replace.py", "--every"),
    (PYTHON, "deploy/under_load.py", "http://localhost"),
]
PARSERS: list[tuple[Callable[[Sequence[str]], Any], str]] = [
    (compare.parse, "--users 0"),
    (compare.parse, "--users 999"),
    (compare.parse, "--users 1e3"),
    (compare.parse, "--workers 0"),
    (compare.parse, "--rounds -1"),
    (compare.parse, "--seconds nan"),
    (compare.parse, "--seconds 0"),
    (compare.parse, "unknown"),
    (cpu.parse, "--users 999"),
    (cpu.parse, "--workers 0"),
    (cpu.parse, "--rounds 0"),
    (cpu.parse, "--seconds -1"),
    (cpu.parse, "--only unknown"),
    (cpu.parse, "--servers unknown"),
    (cpu.parse, "--against missing"),
    (cpu.parse, "--against /"),
    (mail.run, "--letters 0"),
    (pages.parse, "--users 999"),
    (pages.parse, "--requests 0"),
    (pages.parse, "--only /unknown"),
    (pages.parse, "--keep /"),
    (pages.parse, f"--keep {__file__}"),
    (user_import.run, "--rows 0"),
    (parse_faults, "swallowed unknown"),
    (minutes, ""),
    (minutes, "0"),
    (minutes, "ten"),
    (minutes, "inf"),
]


def files(root: Path) -> dict[Path, int]:
    """Return every file of a copy of the project, with the time of its last change."""
    found = (path for path in root.rglob("*") if "venv" not in path.parts and "__pycache__" not in path.parts)
    return {path: path.stat().st_mtime_ns for path in found if path.is_file()}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("copy") / "project")
    project.run("python3", "scripts/environment.py", folder=".")
    return project


@pytest.mark.slow
@pytest.mark.parametrize("command", SCRIPTS, ids=lambda command: " ".join(command).removeprefix(f"{PYTHON} "))
def test_script_refuses_a_wrong_command_line(project: Project, command: tuple[str, ...]) -> None:
    before, environment = files(project.root), {name: os.environ[name] for name in ("PATH", "HOME")}

    done = subprocess.run(command, cwd=project.root, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode not in {0, 127}
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 1), done.stderr
    assert files(project.root) == before


@pytest.mark.parametrize(("parse", "line"), PARSERS, ids=lambda part: part if isinstance(part, str) else "")
def test_long_run_refuses_a_wrong_command_line(
    capsys: pytest.CaptureFixture[str], parse: Callable[[Sequence[str]], Any], line: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(line.split())

    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert ": error: " in printed.err.splitlines()[-1]
