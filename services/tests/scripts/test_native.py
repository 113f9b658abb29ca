"""The commands on the native engine: what ``make up`` says and checks, and what later commands take from it."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from support.processes import free_port
from support.project import Project

PRODUCTION = {"ENVIRONMENT": "production", "SMTP_HOST": "127.0.0.1", "PUBLIC_URL": "https://accounts.example.com"}
Up = Callable[..., str]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path / "copy")
    project.run("python3", "scripts/environment.py", folder=".")
    try:
        yield project
    finally:
        project.run("scripts/native", "clean", folder=".", YES="1")


@pytest.fixture
def port() -> str:
    return str(free_port())


@pytest.fixture
def up(project: Project, port: str) -> Up:
    return lambda **variables: project.run("scripts/native", "up", folder=".", API_PORT=port, **variables)


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
    for hint in ("make seed", "make smoke", "make mails", "MAIL_FOLDER", "curl"):
        assert hint not in printed


@pytest.mark.slow
def test_up_in_production_starts_nothing_without_a_mail_server(up: Up, project: Project) -> None:
    with pytest.raises(AssertionError, match=r"^accounts: SMTP_HOST is not set, so mail cannot be sent\n"):
        up(**PRODUCTION | {"SMTP_HOST": ""})

    assert not (project.root / ".local" / "postgres" / "data").exists()


@pytest.mark.slow
def test_up_fails_if_the_worker_does_not_stay_up(up: Up) -> None:
    with pytest.raises(AssertionError, match=r"the worker ended while starting.*\n.*METRICS_PORT: "):
        up(METRICS_PORT="65535")  # the worker has the next port, which does not exist


@pytest.mark.slow(seconds=15)
def test_later_commands_follow_the_last_up_and_migrate_only_after_a_change(up: Up, project: Project, port: str) -> None:
    def run(verb: str, **variables: str) -> str:
        return project.run("scripts/native", verb, folder=".", **variables)

    steps = ["Starting PostgreSQL", "Migrating the database", "Starting the API and the worker"]
    assert up().splitlines()[:3] == steps
    assert "The API works" in project.run("python3", "scripts/smoke.py", folder=".")
    seeded = run("seed")
    assert f"localhost:{port}/" in seeded
    assert "Migrating" not in seeded
    with pytest.raises(AssertionError, match=r"^admin: The user does not exist\.\n"):
        run("admin", ARGS="deactivate o'brien@example.com")
    assert "Migrating" in run("prepare", POSTGRES_API_PASSWORD="another")

    assert "Migrating" in run("prepare")
    assert run("prepare") == ""
    (project.root / "services/accounts/migrations/env.py").touch()
    assert "Migrating" in run("prepare")


@pytest.mark.slow
def test_postgresql_programs_run_on_a_machine_that_has_none(project: Project, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "dirname", "unshare", "setpriv", "sleep", "rm"):
        if path := shutil.which(name):
            (programs / name).symlink_to(path)
    listed = project.run("scripts/native", "psql", "--list", "--tuples-only", folder=".", PATH=str(programs))
    assert " accounts " in listed
    assert "PostgreSQL database dump" in project.run(
        "scripts/native", "tool", "pg_dump", folder=".", PATH=str(programs)
    )


@pytest.mark.slow
def test_second_server_starts_from_a_base_backup_also_for_root(project: Project) -> None:
    tool = partial(project.run, "scripts/native", "tool", folder=".")
    tool("pg_basebackup", "--pgdata", ".local/base", "--checkpoint=fast")
    options = "-c port=5433 -c listen_addresses= -c unix_socket_directories=."
    tool("pg_ctl", "start", "--wait", "--pgdata", ".local/base", "--log", ".local/base.log", "--options", options)
    assert "server is running" in tool("pg_ctl", "status", "--pgdata", ".local/base")
    assert "server stopped" in tool("pg_ctl", "stop", "--pgdata", ".local/base")
