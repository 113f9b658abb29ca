"""Inspects the schema, adds revisions, and records statements."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import event, text

from accounts.db.engine import ConnectDriver
from accounts.db.session import Session, Sessionmaker, transaction

VERSIONS = Path(__file__).parents[2] / "accounts" / "migrations" / "versions"
Alembic = Callable[..., Any]


async def fetch(database: str, query: str) -> set[Any]:
    connection = await asyncpg.connect(database)
    rows = await connection.fetch(query)
    await connection.close()
    return {row[0] for row in rows}


def with_versions_in(folder: Path) -> Path:
    """Write a configuration that finds revisions in a folder, too."""
    here = 'script_location = "accounts:migrations"'
    more = f'version_locations = ["{VERSIONS}", "{folder}"]\npath_separator = "os"'
    config = folder / "pyproject.toml"
    config.write_text(Path("pyproject.toml").read_text().replace(here, f"{here}\n{more}"))
    return config


@asynccontextmanager
async def recorded_statements(db: Session) -> AsyncIterator[list[tuple[str, tuple[Any, ...]]]]:
    """Note the statements that run on a session's connection: through SQLAlchemy, or past it."""
    run: list[tuple[str, tuple[Any, ...]]] = []
    connection = await db.connection()
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver
    noting = connection.sync_connection, "before_cursor_execute", lambda *given: run.append((given[2], given[3]))
    event.listen(*noting)
    with driver.query_logger(lambda logged: run.append((logged.query, tuple(logged.args)))):
        yield run
        await asyncio.sleep(0)  # the driver tells it in the loop's next turn
    event.remove(*noting)
    run[:] = [each for each in run if "SAVEPOINT" not in each[0]]


def same_connection(sessionmaker: Sessionmaker) -> ConnectDriver:
    """Let what goes past SQLAlchemy see what the test has not committed."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[asyncpg.Connection]:
        async with transaction(sessionmaker) as db:
            yield (await (await db.connection()).get_raw_connection()).driver_connection

    return connect


async def plan_without_scans(
    sessionmaker: Sessionmaker, run: Callable[[Session], Awaitable[object]], *methods: str
) -> str:
    """Return the plan of the statement that ``run`` executes, without sequential scans and ``methods``.

    With few rows a scan is cheaper, so it is disabled.
    """
    async with transaction(sessionmaker) as db:
        connection = await db.connection()
        for method in ("seqscan", "bitmapscan", *methods):
            await connection.execute(text(f"SET LOCAL enable_{method} = off"))
        async with recorded_statements(db) as statements:
            await run(db)
        # The driver reads the types that it has not met before.
        own = [each for each in statements if "set_config" not in each[0] and "pg_catalog" not in each[0]]
        ((statement, values),) = own
        return str((await connection.exec_driver_sql(f"EXPLAIN {statement}", values)).all())
