"""Rows that may be some moments old are read at a replica, if DATABASE_READ_URL names one.

Who asks, and what they may see, is always decided by the primary: see ``api.fast_routes``.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic

from accounts.db.engine import COMMAND_SECONDS, ConnectDriver, DriverConnection, create_engine
from accounts.db.errors import DATABASE_ERRORS, describe, is_unavailable, sqlstate
from accounts.db.statements import Database
from accounts.settings import Settings

log = logging.getLogger("accounts.db")
REPLAY_CONFLICT = "40001"  # one query stood against what the replica replays; the next one may not
SECONDS = 2.0  # for the replica's answer, so that enough time is left for the primary's
PAUSE_SECONDS = 10.0  # in which a replica is not asked that did not answer


class Replica:
    """Reads at the replica, or at the primary while there is none or it does not answer."""

    def __init__(self, connect: ConnectDriver | None = None) -> None:
        self._connect = connect
        self._ask_after = 0.0

    @property
    def exists(self) -> bool:
        """Whether there is a replica."""
        return self._connect is not None

    async def read[Result](self, primary: Database, work: Callable[[Database], Awaitable[Result]]) -> Result:
        """Run ``work``, which only reads, at the replica, or else on a connection to the primary."""
        if self._connect is None or monotonic() < self._ask_after:
            return await work(primary)
        try:
            async with asyncio.timeout(SECONDS), self._connect() as connection:
                return await work(connection)
        except (*DATABASE_ERRORS, TimeoutError) as error:  # also a conflict with what the replica replays
            if is_unavailable(error) and sqlstate(error) != REPLAY_CONFLICT:
                self._ask_after = monotonic() + PAUSE_SECONDS
            log.warning("the replica did not answer, so the primary was asked: %s", describe(error))
            return await work(primary)


@asynccontextmanager
async def open_replica(settings: Settings) -> AsyncIterator[Replica]:
    """Open the replica of the settings."""
    if not settings.database_read_url.get_secret_value():
        yield Replica()
        return
    engine = create_engine(settings.at_replica(), "replica", COMMAND_SECONDS)
    try:
        yield Replica(partial(DriverConnection, engine))
    finally:
        await engine.dispose()
