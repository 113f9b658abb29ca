"""Checks and migration of the database that a backup was restored into, before it replaces the present one."""

import asyncio

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from accounts.commands.run import fail
from accounts.database_url import DatabaseUrl
from accounts.models import Base
from accounts.readiness import MIGRATIONS, schema_revisions

COLUMNS = text("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'")


async def check_and_migrate(copy: AsyncConnection, url: DatabaseUrl) -> None:
    """Migrate the database of ``url``, which ``copy`` is connected to, if it is a backup of this service.

    Raises:
        SystemExit: it has another revision than one of this version's migrations, lacks a table or column, or cannot be
            migrated.

    """
    revisions = await schema_revisions(copy)
    if len(revisions) != 1:
        _refuse(f"not a backup of this service, because it has {len(revisions)} revisions")
    known = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    if unknown := ", ".join(revisions - known):
        _refuse(f"the backup is at revision {unknown}, which this version does not know")
    await asyncio.to_thread(_migrate, url)
    existing = {(table, column) for table, column in await copy.execute(COLUMNS)}
    needed = {(table.name, column.name) for table in Base.metadata.sorted_tables for column in table.columns}
    if missing := sorted(".".join(column) for column in needed - existing):
        _refuse(f"not a backup of this service, because it does not have {missing[0]}")


def _migrate(url: DatabaseUrl) -> None:
    config = Config(attributes={"url": url})
    config.set_main_option("script_location", str(MIGRATIONS))
    command.upgrade(config, "head")


def _refuse(reason: str) -> None:
    fail("restore", f"nothing was changed: {reason}")
