"""The README's "Add an entity", done word for word in a copy of this project: four steps, and User is left alone."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.people import World

ROOT = Path(__file__).parents[3]
SECTION = (ROOT / "README.md").read_text().split("\n## Add an entity\n")[1].split("\n## ")[0]
FILES = dict(re.findall(r"`(services/\S+\.py)`[^\n]*\n\n```python\n(.*?)```", SECTION, re.DOTALL))
COMMANDS = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)
MODEL = "services/accounts/models/badge.py"
IMPORTS = "services/accounts/models/__init__.py"
DOMAIN = "services/accounts/domain/badges.py"

# What `make revision` and `make migrate` do, with the suite's database in place of a throw-away one.
STEPS = """
import asyncio
import contextlib
import os
import types

import revision
from alembic import command
from alembic.config import Config

ours = os.environ["DATABASE_URL"]
revision.throwaway = lambda: contextlib.nullcontext(types.SimpleNamespace(url=lambda: os.environ["OWNER_URL"]))
revision.revise("badges")
command.upgrade(Config(toml_file="pyproject.toml"), "head")
command.check(Config(toml_file="pyproject.toml"))

# From here on it is what the API does, and as whom it connects.
from sqlmodel import select

from accounts.commands.run import run
from accounts.db.session import transaction
from accounts.domain import badges
from accounts.models import User
from accounts.settings import get_settings

os.environ["DATABASE_URL"] = ours
get_settings.cache_clear()


async def award_and_list(sessionmaker):
    async with transaction(sessionmaker) as session:
        await badges.award(session, (await session.exec(select(User))).one(), "Grail")
    async with transaction(sessionmaker) as session:
        return [(badge.title, badge.user.email) for badge in await badges.everybodys(session)]


print(run("test", award_and_list))
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy what the steps touch, and take the first two."""
    ignored = shutil.ignore_patterns(".*", "__pycache__", "tests")
    for name in ("services", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in (MODEL, DOMAIN):
        (tmp_path / name).write_text(FILES[name])
    lines = (tmp_path / IMPORTS).read_text().splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines) if line.startswith("from ") and line > FILES[IMPORTS])
    (tmp_path / IMPORTS).write_text("".join([*lines[:place], FILES[IMPORTS], *lines[place:]]))
    return tmp_path


def python(copy: Path, *arguments: str, **environment: str) -> str:
    path = os.pathsep.join(str(copy / name) for name in ("services", "scripts"))
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy / "services",
        env=os.environ | environment | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_takes_four_steps() -> None:
    assert (set(FILES), FILES[IMPORTS].count("\n")) == ({MODEL, IMPORTS, DOMAIN}, 1)
    assert COMMANDS == ['make revision m="badges"\n', "make migrate\n"]


async def test_makes_a_table_that_works(
    copy: Path, busy_world: World, fresh_database: str, owned_database: str
) -> None:
    arthur = await busy_world.user("arthur")

    said = python(copy, "-W", "error", "-c", STEPS, DATABASE_URL=fresh_database, OWNER_URL=owned_database)

    assert said.splitlines()[-1] == str([("Grail", arthur.email)])
    (written,) = (copy / "services/accounts/migrations/versions").glob("*_badges.py")
    assert 'op.create_table(\n        "badge"' in written.read_text()


def test_keeps_the_linter_content(copy: Path) -> None:
    written = [str(copy / name) for name in FILES]

    python(copy, "-m", "ruff", "check", "--config", "pyproject.toml", "--no-cache", *written)
    python(copy, "-m", "ruff", "format", "--config", "pyproject.toml", "--no-cache", "--check", *written)
