"""Readiness: the database answers with this version's schema and within limits of time, and it accepts writes."""

import asyncio
import re
from functools import cache
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from accounts.db.engine import SERVER_SETTINGS
from accounts.db.errors import DATABASE_ERRORS, DISK_FULL, READ_ONLY, STANDBY, sqlstate
from accounts.db.session import Sessionmaker
from accounts.domain.errors import NotReady

MIGRATIONS = Path(__file__).parent / "migrations"
REVISION = re.compile(r'^revision = "(\w+)"', re.MULTILINE)
REVISES = re.compile(r'^down_revision = "(\w+)"', re.MULTILINE)  # one: the migrations have no branches
TIMEOUT_SECONDS = 2
UNDEFINED_TABLE = "42P01"
THROUGH_A_POOLER = "Behind a pooler, run the migrations and then reconnect it; the worker must connect directly."
TIMEOUTS = [name for name in SERVER_SETTINGS if name.endswith("_timeout")]
UNLIMITED = text("SELECT name FROM unnest(CAST(:names AS text[])) AS name WHERE current_setting(name) = '0'")
# They need a transaction that may write, and a few pages on the disk of the tables: rows beyond work_mem are spilled
# to a temporary file. Nothing stays. A full disk of the write-ahead log ends the server, which then does not answer.
WRITES = (
    "SELECT set_config('work_mem', '64kB', true)",
    "DELETE FROM throttle WHERE false",
    "SELECT count(*) FROM generate_series(1, 3000)",
)
NOT_WRITABLE = {
    DISK_FULL: "The disk of the database is full.",
    READ_ONLY: "The database is read-only.",
    STANDBY: "The database is read-only.",
}


async def check_readiness(sessionmaker: Sessionmaker) -> None:
    """Compare the schema's revision with the migrations, and look for missing time limits, within two seconds.

    Raises:
        NotReady: the database is unavailable, the revisions differ, or a limit is missing; the reason says which.

    """
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS), sessionmaker() as db:
            connection = await db.connection()
            unlimited = list(await connection.scalars(UNLIMITED, {"names": TIMEOUTS}))
            revisions = await schema_revisions(connection)
    except DATABASE_ERRORS as error:
        raise NotReady("The database does not answer.") from error
    if revisions != expected_revisions():
        at, needed = _names(revisions), _names(expected_revisions())
        raise NotReady(f"The schema is at {at}, but this version needs {needed}. Run the migrations.")
    if unlimited:
        raise NotReady(f"{', '.join(unlimited)}: no limit. {THROUGH_A_POOLER}")


async def check_writes(sessionmaker: Sessionmaker) -> None:
    """Check that the database accepts writes, within two seconds and some milliseconds of its time.

    Raises:
        NotReady: the disk is full, the server is read-only, or it does not answer; the reason says which.

    """
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS), sessionmaker() as db:
            for statement in WRITES:
                await (await db.connection()).execute(text(statement))
    except DATABASE_ERRORS as error:
        raise NotReady(NOT_WRITABLE.get(sqlstate(error) or "", "The database does not answer.")) from error


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
    """Return the newest revision of the installed migrations: the one that no other revises.

    Their files are read as text. Alembic, which would import them, takes 10 MB and 0.2 seconds of every worker.
    """
    files = [path.read_text() for path in MIGRATIONS.glob("versions/*.py")]
    revisions, revised = ({name for text in files for name in each.findall(text)} for each in (REVISION, REVISES))
    return revisions - revised


def _names(revisions: set[str]) -> str:
    return ", ".join(sorted(revisions)) or "no revision"
