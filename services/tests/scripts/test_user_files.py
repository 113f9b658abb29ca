"""make import-users and make export-users on the native engine."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.processes import free_port
from support.project import ROOT, Project

pytestmark = pytest.mark.slow(30)
USER = {"email": "arthur@camelot.example.com", "groups": [{"name": "Knights", "role": "owner"}]}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("user files") / "copy")
    project.run("python3", "scripts/environment.py", folder=".")
    try:
        yield project
    finally:
        project.run("scripts/native", "clean", folder=".", YES="1")


def user_files(project: Project, verb: str, file: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment |= {"API_PORT": str(free_port()), **variables}
    command = ["scripts/user-files", "native", verb, file]
    return subprocess.run(command, cwd=project.root, env=environment, capture_output=True, text=True, check=False)


def test_file_is_imported_and_exported(project: Project) -> None:
    (project.root / "users.jsonl").write_text(f"{json.dumps(USER)}\n")

    dry = user_files(project, "import", "users.jsonl", DRY_RUN="yes")
    assert dry.stdout.startswith("Would create 1 users (1 without a password), 1 groups and 1 memberships."), dry.stderr
    real = user_files(project, "import", "users.jsonl", INVITE="de")
    assert real.stdout.startswith("Created 1 users"), real.stderr
    assert "1 of those without a password gets a mail" in real.stdout
    exported = user_files(project, "export", "exported.jsonl")

    assert (exported.returncode, "Exported 1 users" in exported.stderr) == (0, True), exported.stderr
    file = project.root / "exported.jsonl"
    assert file.stat().st_mode & 0o077 == 0
    [user] = map(json.loads, file.read_text().splitlines())
    assert {name: user[name] for name in USER} == USER


@pytest.mark.parametrize(
    ("verb", "file", "variables", "message"),
    [
        ("import", "", {}, "accounts: FILE is missing. Example: make import-users FILE=users.jsonl"),
        ("export", "", {}, "accounts: FILE is missing. Example: make export-users FILE=users.jsonl"),
        ("import", "nowhere.jsonl", {}, "accounts: nowhere.jsonl is not a file that can be read"),
        ("export", "docs", {}, "accounts: docs is not a file that can be replaced"),
        ("import", "Makefile", {"DRY_RUN": "perhaps"}, "accounts: DRY_RUN must be yes or no, not perhaps"),
    ],
)
def test_wrong_variables_are_refused(
    project: Project, verb: str, file: str, variables: dict[str, str], message: str
) -> None:
    done = user_files(project, verb, file, **variables)
    assert (done.returncode, done.stderr.strip()) == (1, message)


def test_failed_export_keeps_the_earlier_file(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "users.jsonl"
    file.write_text("earlier")

    done = user_files(project, "export", str(file), DATABASE_URL="", SECRET_KEY="change-me", ENVIRONMENT="production")

    assert done.returncode != 0
    assert (file.read_text(), list(tmp_path.iterdir())) == ("earlier", [file])


@pytest.mark.parametrize("signal", ["HUP", "INT", "TERM"])
def test_interrupted_export_leaves_no_hashes(tmp_path: Path, signal: str) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    shutil.copy(ROOT / "scripts" / "user-files", scripts)
    engine = scripts / "native"
    engine.write_text(f'#!/bin/sh\n[ "$1" = prepare ] || {{ echo hash; kill -{signal} $PPID; }}\n')
    engine.chmod(0o700)

    done = subprocess.run([scripts / "user-files", "native", "export", "users.jsonl"], check=False)

    assert done.returncode != 0
    assert list(tmp_path.iterdir()) == [scripts]
