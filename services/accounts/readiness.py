"""Whether the database is there, and has the schema that this code was written for."""

import asyncio
from functools import cache
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from accounts.db.errors import DATABASE_ERRORS, sqlstate
from accounts.db.session import Session, Sessionmaker
from accounts.domain.errors import NotReady
from accounts.domain.mail.queue import Backlog, backlog

MIGRATIONS = Path(__file__).parent / "migrations"
SECONDS = 2
UNDEFINED_TABLE = "42P01"


async def check_readiness(sessionmaker: Sessionmaker) -> Backlog:
    """Ask the database for its revision, for two seconds at the most; return what waits in the outbox.

    Raises:
        NotReady: with the reason.

    """
    try:
        async with asyncio.timeout(SECONDS), sessionmaker() as db:
            found = await _revisions(db)
            if found == expected_revisions():
                return await backlog(db)
    except DATABASE_ERRORS as error:
        raise NotReady("The database does not answer.") from error
    raise NotReady(
        f"The schema is at {_names(found)}, this code needs {_names(expected_revisions())}: run the migrations."
    )


async def _revisions(db: Session) -> set[str]:
    try:
        return set(await (await db.connection()).scalars(text("SELECT version_num FROM alembic_version")))
    except DBAPIError as error:
        if sqlstate(error) != UNDEFINED_TABLE:
            raise
        return set()


@cache
def expected_revisions() -> set[str]:
    """Read the newest revision of the migrations that this code came with."""
    return set(ScriptDirectory(str(MIGRATIONS)).get_heads())


def _names(revisions: set[str]) -> str:
    return ", ".join(sorted(revisions)) or "no revision"
