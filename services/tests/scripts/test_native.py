"""What ``make up`` says on the native engine, and PostgreSQL's programs on a machine that has none."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.processes import free_port
from support.project import Project

PRODUCTION = {"ENVIRONMENT": "production", "SMTP_HOST": "127.0.0.1", "PUBLIC_URL": "https://accounts.example.com"}
Up = Callable[..., str]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    project = Project(tmp_path / "copy")
    port = str(free_port())
    project.run("python3", "scripts/environment.py", folder=".")
    try:
        yield lambda **variables: project.run("scripts/native", "up", folder=".", API_PORT=port, **variables)
    finally:
        project.run("scripts/native", "clean", folder=".", YES="1")


@pytest.mark.slow
def test_up_keeps_a_running_api_if_a_setting_is_wrong_and_says_so(up: Up) -> None:
    assert "make seed" in up()

    with pytest.raises(AssertionError, match="the running API was not changed"):
        up(SIGN_UP="nobody")

    assert "Restarting" not in up()


@pytest.mark.slow
def test_up_in_production_advises_a_superuser_and_no_sample_data(up: Up) -> None:
    printed = up(**PRODUCTION)

    assert "make superuser" in printed
    assert "make seed" not in printed


@pytest.mark.slow
def test_postgresql_programs_run_on_a_machine_that_has_none(tmp_path: Path) -> None:
    project, programs = Project(tmp_path / "copy"), tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "dirname", "unshare", "setpriv", "sleep", "rm"):
        if path := shutil.which(name):
            (programs / name).symlink_to(path)
    project.run("python3", "scripts/environment.py", folder=".")
    try:
        listed = project.run("scripts/native", "psql", "--list", "--tuples-only", folder=".", PATH=str(programs))
        assert " accounts " in listed
        assert "PostgreSQL database dump" in project.run(
            "scripts/native", "tool", "pg_dump", folder=".", PATH=str(programs)
        )
    finally:
        project.run("scripts/native", "clean", folder=".", YES="1")
