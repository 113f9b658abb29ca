"""Replacement of the database by a backup: python -m accounts.commands.restore prepare, finish or clean.

``make restore`` runs ``prepare``, which creates an empty copy beside the database; pg_restore, which fills the copy;
``finish``, which checks and migrates the copy and swaps the names; and ``clean``, which drops what is left. The
database itself may be damaged or missing. Killed at any time, it is the previous or the restored one, and another
restore works.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from sqlalchemy import NullPool, text
from sqlalchemy.ext.asyncio import AsyncConnection

from accounts.commands.restored_copy import check_and_migrate
from accounts.commands.run import fail, one_line_errors
from accounts.database_url import DatabaseUrl
from accounts.db.connect import engine_to
from accounts.settings import get_settings

NAME = "restore"
MAINTENANCE = "postgres"  # the database to connect to while the others are renamed and dropped
POLL_SECONDS = 0.05
RUNNING = "another restore is running"
LOCK = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
# A database that DROP DATABASE began to delete has the connection limit -2, and accepts no connections.
IS_VALID = text("SELECT datconnlimit <> -2 FROM pg_database WHERE datname = :name")
IS_USED = text("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = :name AND backend_type = 'client backend')")
DISCONNECT = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")


def main(argv: Sequence[str] | None = None) -> None:
    """Run one step.

    Raises:
        SystemExit: with status 1 and the reason, 2 for a wrong command line, or 130 for Ctrl-C.

    """
    steps = {"prepare": prepare, "finish": finish, "clean": clean}
    parser = argparse.ArgumentParser(prog="python -m accounts.commands.restore", description="Restore a backup.")
    parser.add_argument("step", choices=steps, help="make restore runs prepare, then pg_restore, finish and clean")
    step = steps[parser.parse_args(argv).step]
    with one_line_errors(NAME):
        asyncio.run(step(Databases(get_settings().database)))


class Databases:
    """The database, the copy that the backup is restored into, and the replaced database until it is dropped."""

    def __init__(self, url: DatabaseUrl) -> None:
        self.url = url
        self.current = url.database or ""
        self.restored = f"{self.current}_restored"
        self.replaced = f"{self.current}_replaced"

    @asynccontextmanager
    async def connect(self, name: str, isolation_level: str = "AUTOCOMMIT") -> AsyncIterator[AsyncConnection]:
        """Connect to a database of the server."""
        url = replace(self.url, database=name)
        engine = engine_to(url, "restore", poolclass=NullPool, isolation_level=isolation_level)
        async with engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[AsyncConnection]:
        """Connect to the server as the only restore of this database.

        Raises:
            SystemExit: another restore is running.

        """
        async with self.connect(MAINTENANCE) as server:
            if not await server.scalar(LOCK, {"name": self.restored}):
                fail(NAME, RUNNING)
            yield server


async def prepare(databases: Databases) -> None:
    """Remove what an interrupted restore has left, and create an empty copy.

    Raises:
        SystemExit: another restore is running.

    """
    async with databases.exclusive() as server:
        if await server.scalar(IS_USED, {"name": databases.restored}):  # by the pg_restore of another restore
            fail(NAME, RUNNING)
        await _drop_leftovers(server, databases)
        await _execute(server, "CREATE DATABASE {} TEMPLATE template0", databases.restored)


async def finish(databases: Databases) -> None:
    """Check and migrate the copy, and let it replace the database.

    Raises:
        SystemExit: the copy is not a backup of this service, or this version cannot migrate it.

    """
    async with databases.exclusive() as server:
        async with databases.connect(databases.restored) as copy:
            await check_and_migrate(copy, replace(databases.url, database=databases.restored))
            await copy.execute(text("ANALYZE"))  # or queries would be slow until PostgreSQL does it
            users = await copy.scalar(text('SELECT count(*) FROM "user"'))
        await _drop(server, databases.replaced)
        await _swap(server, databases)
    print(f"Restored the backup, with {users} users")


async def clean(databases: Databases) -> None:
    """Drop the copy of a failed restore, and the database that a finished one has replaced."""
    async with databases.exclusive() as server:
        await _drop_leftovers(server, databases)


async def _drop_leftovers(server: AsyncConnection, databases: Databases) -> None:
    await _drop(server, databases.restored)
    if await server.scalar(IS_VALID, {"name": databases.current}):  # otherwise the replaced one may be all that is left
        await _drop(server, databases.replaced)


async def _swap(server: AsyncConnection, databases: Databases) -> None:
    """Rename both databases in one transaction.

    The first RENAME makes new connections wait until the commit, and waits up to five seconds for existing ones to end.
    """
    disconnecting = asyncio.create_task(_disconnect(server, databases.current))
    try:
        async with databases.connect(MAINTENANCE, "READ COMMITTED") as connection, connection.begin():
            if await connection.scalar(IS_VALID, {"name": databases.current}) is not None:
                await _execute(connection, "ALTER DATABASE {} RENAME TO {}", databases.current, databases.replaced)
            await _execute(connection, "ALTER DATABASE {} RENAME TO {}", databases.restored, databases.current)
    finally:
        disconnecting.cancel()
        await asyncio.gather(disconnecting, return_exceptions=True)


async def _disconnect(server: AsyncConnection, name: str) -> None:
    while True:
        await server.execute(DISCONNECT, {"name": name})
        await asyncio.sleep(POLL_SECONDS)


async def _drop(server: AsyncConnection, name: str) -> None:
    await _execute(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


async def _execute(connection: AsyncConnection, statement: str, *names: str) -> None:
    quote = connection.dialect.identifier_preparer.quote_identifier
    await connection.exec_driver_sql(statement.format(*map(quote, names)))


if __name__ == "__main__":
    main()
