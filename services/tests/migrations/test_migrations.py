"""The schema's history: up and down, in turn and at once, and what happens when it cannot."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from fastapi_users_db_sqlalchemy.generics import GUID
from sqlalchemy import Column, Table
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

from accounts.models import Base
from accounts.settings import get_settings

VERSIONS = Path(__file__).parents[2] / "accounts" / "migrations" / "versions"
BROKEN = """
from alembic import op

revision = "broken"
down_revision = {head!r}


def upgrade() -> None:
    op.execute("CREATE TABLE half_done (id int)")
    op.execute("SELECT 1 / 0")
"""

Alembic = Callable[..., Any]


@pytest.fixture
def alembic(fresh_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Alembic]:
    """Run one of Alembic's commands on a database of this test's own."""

    def run(name: str, *arguments: Any, config: str | Path = "pyproject.toml", **options: Any) -> Any:
        return getattr(command, name)(Config(toml_file=str(config)), *arguments, **options)

    monkeypatch.setenv("DATABASE_URL", fresh_database)
    get_settings.cache_clear()
    yield run
    get_settings.cache_clear()


async def fetch(database: str, query: str) -> set[str]:
    connection = await asyncpg.connect(database)
    rows = await connection.fetch(query)
    await connection.close()
    return {row[0] for row in rows}


def tables(database: str) -> set[str]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    return asyncio.run(fetch(database, query)) - {"alembic_version"}


def test_goes_down_and_up_and_leaves_no_drift(fresh_database: str, alembic: Alembic) -> None:
    before = tables(fresh_database)

    alembic("downgrade", "base")
    assert tables(fresh_database) == set()
    alembic("upgrade", "head")
    assert tables(fresh_database) == before
    alembic("check")  # raises when the models and the schema differ


def test_two_at_once_both_succeed(fresh_database: str, alembic: Alembic) -> None:
    alembic("downgrade", "base")
    upgrade = [sys.executable, "-m", "alembic", "upgrade", "head"]

    both = [subprocess.Popen(upgrade, env=os.environ | {"DATABASE_URL": fresh_database}) for _ in range(2)]

    assert [each.wait() for each in both] == [0, 0]
    assert "user" in tables(fresh_database)


def test_a_failure_changes_nothing_and_says_so(fresh_database: str, alembic: Alembic, tmp_path: Path) -> None:
    before = tables(fresh_database)
    (head,) = asyncio.run(fetch(fresh_database, "SELECT version_num FROM alembic_version"))
    (tmp_path / "broken.py").write_text(BROKEN.format(head=head))

    with pytest.raises(SystemExit, match=r"^migrate: nothing was changed: division by zero$"):
        alembic("upgrade", "head", config=with_versions_in(tmp_path))

    assert tables(fresh_database) == before


def with_versions_in(folder: Path) -> Path:
    """Write a configuration that finds revisions in a folder, too."""
    here = 'script_location = "accounts:migrations"'
    more = f'version_locations = ["{VERSIONS}", "{folder}"]\npath_separator = "os"'
    config = folder / "pyproject.toml"
    config.write_text(Path("pyproject.toml").read_text().replace(here, f"{here}\n{more}"))
    return config


def test_gives_up_behind_a_lock(fresh_database: str, alembic: Alembic) -> None:
    async def downgrade_behind_a_lock() -> None:
        connection = await asyncpg.connect(fresh_database)
        async with connection.transaction():
            await connection.execute("LOCK TABLE membership")
            with pytest.raises(SystemExit, match="canceling statement due to lock timeout"):
                await asyncio.to_thread(alembic, "downgrade", "base")
        await connection.close()

    asyncio.run(downgrade_behind_a_lock())

    assert "membership" in tables(fresh_database)


def test_writes_the_types_of_libraries_as_plain_ones(alembic: Alembic, tmp_path: Path) -> None:
    columns = [Column("a", AutoString(20)), Column("b", UTCDateTime), Column("c", GUID), Column("d", AutoString)]
    table = Table("badge", Base.metadata, *columns)
    try:
        path = alembic(
            "revision", autogenerate=True, version_path=str(tmp_path), config=with_versions_in(tmp_path)
        ).path
    finally:
        Base.metadata.remove(table)

    written = Path(path).read_text()
    for plain in ("sa.String(length=20)", "sa.DateTime(timezone=True)", "sa.Uuid()", "sa.String()"):
        assert plain in written
    assert imports(written) == {"sqlalchemy", "alembic"}


@pytest.mark.parametrize("path", sorted(VERSIONS.glob("*.py")), ids=lambda path: path.stem)
def test_history_imports_nothing_that_may_change(path: Path) -> None:
    assert imports(path.read_text()) <= {"sqlalchemy", "alembic"}


def imports(source: str) -> set[str]:
    return set(re.findall(r"^(?:import|from) (\w+)", source, re.MULTILINE))
