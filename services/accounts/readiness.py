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


async def check(sessionmaker: Sessionmaker) -> Backlog:
    """Ask the database for its revision, for two seconds at the most; return what waits in the outbox.

    Raises:
        NotReady: with the reason.

    """
    try:
        async with asyncio.timeout(SECONDS), sessionmaker() as session:
            found = await _revisions(session)
            if found == heads():
                return await backlog(session)
    except DATABASE_ERRORS as error:
        raise NotReady("The database does not answer.") from error
    raise NotReady(f"The schema is at {_names(found)}, this code needs {_names(heads())}: run the migrations.")


async def _revisions(session: Session) -> set[str]:
    try:
        return set(await (await session.connection()).scalars(text("SELECT version_num FROM alembic_version")))
    except DBAPIError as error:
        if sqlstate(error) != UNDEFINED_TABLE:
            raise
        return set()


@cache
def heads() -> set[str]:
    """Read the newest revision of the migrations that this code came with."""
    return set(ScriptDirectory(str(MIGRATIONS)).get_heads())


def _names(revisions: set[str]) -> str:
    return ", ".join(sorted(revisions)) or "no revision"
