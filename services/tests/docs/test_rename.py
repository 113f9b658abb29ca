"""The page "Make it yours": a renamed copy of this project passes the checks and serves."""

import re
from pathlib import Path

import pytest

import rename
from support.processes import free_port
from support.project import Project

NAME = "guests"
PYTHON_FOLDERS = (".", "../scripts", "../benchmarks", "../deploy")
# They know the names of the package, the roles, the cookie, the audience, the metrics.
TESTS = (
    "tests/test_settings.py",
    "tests/sessions",
    "tests/observability/test_metrics.py",
    "tests/commands",
    "../clients",
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / "copy")
    project.run("python3", "scripts/rename.py", NAME, folder=".")
    project.python("-m", "ruff", "check", "--config", "pyproject.toml", "--fix-only", "--quiet", *PYTHON_FOLDERS)
    project.python("-m", "ruff", "format", "--config", "pyproject.toml", *PYTHON_FOLDERS)
    return project


@pytest.mark.slow
def test_renamed_copy_passes_checks_and_tests(project: Project, tmp_path: Path) -> None:
    paths = [path for path in project.root.rglob("*") if ".local" not in path.parts]
    assert [path for path in paths if "accounts" in re.sub("service[-_]accounts", "", path.name)] == []
    project.python("-m", "ruff", "check", "--config", "pyproject.toml", "--no-cache", *PYTHON_FOLDERS)
    project.tool("lint-imports")
    project.python("-m", "mypy", "--cache-dir", str(tmp_path / "mypy"), NAME)
    project.python("-m", "pytest", "-q", "-m", "not slow", *TESTS)


@pytest.mark.slow
def test_renamed_copy_serves(project: Project) -> None:
    port = {"API_PORT": str(free_port())}
    project.run("python3", "scripts/environment.py", folder=".")
    try:
        project.run("scripts/native", "up", folder=".", **port)
        project.run("scripts/native", "seed", folder=".", **port)
        project.run("python3", "scripts/smoke.py", folder=".", **port)
    finally:
        project.run("scripts/native", "clean", folder=".", YES="1", **port)


@pytest.mark.parametrize("name", ["", "Guests", "my-guests", "ab", "user", "json", "two words"])
def test_unusable_names_are_refused(name: str) -> None:
    with pytest.raises(rename.RenameError):
        rename.check(name)
