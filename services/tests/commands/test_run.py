"""Commands report expected errors in one line."""

import asyncio
import os
import runpy
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from types import ModuleType
from uuid import uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from accounts.commands import admin, restore, run, superuser
from accounts.domain.errors import GroupNameTaken, NotReady
from accounts.seeder import __main__ as seeder
from conftest import execute, url_of


@pytest.fixture
def empty_database() -> Iterator[str]:
    name = f"empty_{uuid4().hex}"
    execute(f"CREATE DATABASE {name}")
    yield url_of(name)
    execute(f"DROP DATABASE {name} WITH (FORCE)")


async def output_of(module: str, *argv: str, **environment: str) -> tuple[int | None, list[str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *argv, env=os.environ | environment, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    return process.returncode, (out + err).decode().splitlines()


@pytest.mark.slow
async def test_unready_database_is_reported_in_one_line(empty_database: str) -> None:
    (not_migrated, first), (unreachable, second) = await asyncio.gather(
        output_of("accounts.seeder", DATABASE_URL=empty_database),
        output_of("accounts.commands.superuser", "merlin@example.com", DATABASE_URL="postgresql://localhost:1/nowhere"),
    )

    assert (not_migrated, unreachable) == (1, 1)
    assert "\n".join(first).startswith("seeder: The schema is at no revision")
    assert "\n".join(second).startswith("superuser: The database does not answer. (")
    assert (len(first), len(second)) == (1, 1)


@pytest.mark.parametrize("module", [seeder, superuser, admin, restore])
def test_command_runs_as_a_module(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["command", "--help"])
    with pytest.raises(SystemExit, match=r"^0$"):
        runpy.run_path(str(module.__file__), run_name="__main__")
    assert capsys.readouterr().out.startswith("usage: python -m accounts.")


def caused(error: BaseException, cause: BaseException | None) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (GroupNameTaken(), "Another public group has this name, ignoring case."),
        (caused(NotReady("Not now."), OSError("refused")), "Not now. (refused)"),
        (DBAPIError("SELECT", {}, ValueError("wrapped\nDETAIL: more")), "wrapped"),
        (DBAPIError("SELECT", {}, caused(ValueError("wrapped"), OSError("inside"))), "inside"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_expected_error_is_reported_in_one_line(error: BaseException, line: str) -> None:
    with pytest.raises(SystemExit) as ended, run.one_line_errors("command"):
        raise error
    assert ended.value.code == f"command: {line}"


def test_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), run.one_line_errors("command"):
        1 / 0  # noqa: B018  # the bug
