"""The schema's history: upgrades and downgrades, in sequence, concurrently, and with failures."""

import asyncio
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from fastapi_users_db_sqlalchemy.generics import GUID
from sqlalchemy import Column, Table
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

from accounts.models import Base
from support.schema import VERSIONS, Alembic, fetch, with_versions_in
from support.waiting import PATIENCE

BROKEN = """
from alembic import op

revision = "broken"
down_revision = {head!r}


def upgrade() -> None:
    op.execute("CREATE TABLE half_done (id int)")
    op.execute("SELECT 1 / 0")
"""


def tables(database: str) -> set[str]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    return asyncio.run(fetch(database, query)) - {"alembic_version"}


def test_downgrade_and_upgrade_leave_no_drift(owned_database: str, alembic: Alembic) -> None:
    before = tables(owned_database)

    alembic("downgrade", "base")
    assert tables(owned_database) == set()
    alembic("upgrade", "head")
    assert tables(owned_database) == before
    alembic("check")  # raises when the models and the schema differ


def test_sql_is_generated_without_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    written = io.StringIO()

    command.upgrade(Config(toml_file="pyproject.toml", output_buffer=written), "head", sql=True)

    assert "CREATE TABLE user_group" in written.getvalue()
    assert "SET LOCAL lock_timeout" in written.getvalue()


@pytest.mark.slow
def test_four_concurrent_upgrades_all_succeed(owned_database: str, alembic: Alembic) -> None:
    alembic("downgrade", "base")
    upgrade = [sys.executable, "-m", "alembic", "upgrade", "head"]

    all_four = [subprocess.Popen(upgrade, env=os.environ | {"DATABASE_URL": owned_database}) for _ in range(4)]

    assert [each.wait(PATIENCE) for each in all_four] == [0] * 4
    assert "user" in tables(owned_database)


def test_failed_upgrade_changes_nothing_and_says_so(owned_database: str, alembic: Alembic, tmp_path: Path) -> None:
    before = tables(owned_database)
    (head,) = asyncio.run(fetch(owned_database, "SELECT version_num FROM alembic_version"))
    (tmp_path / "broken.py").write_text(BROKEN.format(head=head))

    with pytest.raises(SystemExit, match=r"^migrate: nothing was changed: division by zero$"):
        alembic("upgrade", "head", config=with_versions_in(tmp_path))

    assert tables(owned_database) == before


@pytest.mark.slow
def test_migration_gives_up_after_the_lock_timeout(owned_database: str, alembic: Alembic) -> None:
    async def downgrade_behind_a_lock() -> None:
        connection = await asyncpg.connect(owned_database)
        async with connection.transaction():
            await connection.execute("LOCK TABLE membership")
            with pytest.raises(SystemExit, match="canceling statement due to lock timeout"):
                await asyncio.to_thread(alembic, "downgrade", "base")
        await connection.close()

    asyncio.run(downgrade_behind_a_lock())

    assert "membership" in tables(owned_database)


@pytest.mark.slow
def test_generated_revision_uses_plain_sqlalchemy_types(alembic: Alembic, tmp_path: Path) -> None:
    columns = [Column("a", AutoString(20)), Column("b", UTCDateTime), Column("c", GUID), Column("d", AutoString)]
    table = Table("sword", Base.metadata, *columns)
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
def test_migrations_import_only_alembic_and_sqlalchemy(path: Path) -> None:
    assert imports(path.read_text()) <= {"sqlalchemy", "alembic"}


def imports(source: str) -> set[str]:
    return set(re.findall(r"^(?:import|from) (\w+)", source, re.MULTILINE))
