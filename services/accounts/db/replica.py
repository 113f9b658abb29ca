"""Rows that may be some moments old are read at a replica, if DATABASE_READ_URL names one.

Who asks, and what they may see, is always decided by the primary: see ``api.fast_routes``.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic
from weakref import WeakSet

import asyncpg

from accounts.db.engine import COMMAND_SECONDS, ConnectDriver, DriverConnection, create_engine
from accounts.db.errors import DATABASE_ERRORS, describe, sqlstate
from accounts.settings import Settings

log = logging.getLogger("accounts.db")
ONE_QUERY = ("22", "40001")  # errors of one query: of its values, or it stood against what the replica replays
SECONDS = 2.0  # for the replica's answer, so that enough time is left for the primary's
PAUSE_SECONDS = 10.0  # in which a replica is not asked that did not answer
# The same for a server and its standbys, and when it started, unless it is a standby.
IDENTITY = """
    SELECT system_identifier, current_database(), CASE WHEN NOT pg_is_in_recovery() THEN pg_postmaster_start_time() END
    FROM pg_control_system()
"""


class NotAStandbyError(OSError):
    """DATABASE_READ_URL leads neither to a standby of the primary nor to the primary itself."""


class Replica:
    """Reads at the replica, or at the primary while there is none, or it is busy or does not answer.

    Until it has answered, and after each pause, one request alone tries it.
    """

    def __init__(self, connect: ConnectDriver | None = None, connections: int = 1) -> None:
        self._connect = connect
        self._connections = connections
        self._limit = 1  # of concurrent reads
        self._reads = 0
        self._ask_after = 0.0
        self._checked: WeakSet[asyncpg.Connection] = WeakSet()

    @property
    def exists(self) -> bool:
        """Whether there is a replica."""
        return self._connect is not None

    async def read[Result](
        self, connect_primary: ConnectDriver, work: Callable[[asyncpg.Connection], Awaitable[Result]]
    ) -> Result:
        """Run ``work``, which only reads, at the replica, or else on a new connection to the primary.

        Call it without a connection to the primary: a slow replica must not use up the primary's pool.
        """
        if self._connect and self._reads < self._limit and monotonic() >= self._ask_after:
            try:
                return await self._ask(self._connect, connect_primary, work)
            except (*DATABASE_ERRORS, TimeoutError) as error:
                if not (sqlstate(error) or "").startswith(ONE_QUERY):
                    self._limit, self._ask_after = 1, monotonic() + PAUSE_SECONDS
                log.warning("the replica did not answer, so the primary is asked: %s", describe(error))
        async with connect_primary() as connection:
            return await work(connection)

    async def _ask[Result](
        self,
        connect: ConnectDriver,
        connect_primary: ConnectDriver,
        work: Callable[[asyncpg.Connection], Awaitable[Result]],
    ) -> Result:
        self._reads += 1
        try:
            async with asyncio.timeout(SECONDS), connect() as connection:
                if connection not in self._checked:
                    await self._check(connection, connect_primary)
                result = await work(connection)
        finally:
            self._reads -= 1
        self._limit, self._ask_after = self._connections, 0.0
        return result

    async def _check(self, connection: asyncpg.Connection, connect_primary: ConnectDriver) -> None:
        # Another database, and an old primary after a failover, may have rows of other users under the same ids.
        *database, started = await connection.fetchrow(IDENTITY)
        async with connect_primary() as primary:
            *expected, primary_started = await primary.fetchrow(IDENTITY)
        if database != expected or started not in {None, primary_started}:
            raise NotAStandbyError
        self._checked.add(connection)


@asynccontextmanager
async def open_replica(settings: Settings) -> AsyncIterator[Replica]:
    """Open the replica of the settings."""
    if not settings.database_read_url.get_secret_value():
        yield Replica()
        return
    engine = create_engine(settings.at_replica(), "replica", COMMAND_SECONDS)
    try:
        yield Replica(partial(DriverConnection, engine), settings.database_pool_size)
    finally:
        await engine.dispose()
