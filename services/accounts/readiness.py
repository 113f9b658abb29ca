"""Readiness: the database answers, and its schema is at this version's migrations."""

import asyncio
from functools import cache
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from accounts.db.errors import DATABASE_ERRORS, sqlstate
from accounts.db.session import Sessionmaker
from accounts.domain.errors import NotReady

MIGRATIONS = Path(__file__).parent / "migrations"
TIMEOUT_SECONDS = 2
UNDEFINED_TABLE = "42P01"


async def check_readiness(sessionmaker: Sessionmaker) -> None:
    """Compare the schema's revision with the migrations, within two seconds.

    Raises:
        NotReady: the database is unavailable, or the revisions differ; the reason says which.

    """
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS), sessionmaker() as db:
            revisions = await schema_revisions(await db.connection())
    except DATABASE_ERRORS as error:
        raise NotReady("The database does not answer.") from error
    if revisions != expected_revisions():
        at, needed = _names(revisions), _names(expected_revisions())
        raise NotReady(f"The schema is at {at}, but this version needs {needed}. Run the migrations.")


async def schema_revisions(connection: AsyncConnection) -> set[str]:
    """Return the revision of a database's schema; none if it was never migrated."""
    try:
        return set(await connection.scalars(text("SELECT version_num FROM alembic_version")))
    except DBAPIError as error:
        if sqlstate(error) != UNDEFINED_TABLE:
            raise
        return set()


@cache
def expected_revisions() -> set[str]:
    """Return the newest revision of the installed migrations."""
    return set(ScriptDirectory(str(MIGRATIONS)).get_heads())


def _names(revisions: set[str]) -> str:
    return ", ".join(sorted(revisions)) or "no revision"
