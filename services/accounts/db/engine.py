"""Database connections: pool size, timeouts, and when a connection is discarded."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, override

import asyncpg
from sqlalchemy import ExceptionContext, event
from sqlalchemy.exc import InvalidatePoolError, MissingGreenlet
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool, PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from accounts.db.connect import engine_to
from accounts.db.errors import DESYNCHRONISED, READ_ONLY, STANDBY, sqlstate
from accounts.observability import metrics
from accounts.settings import Settings

POOL_SECONDS = 3
# Timeouts nest: first the server cancels the statement, then the client drops the connection, then the request ends.
COMMAND_SECONDS = 7
# Each connection asks for these. Migrations set them on the API's role as well, for connections through a pooler.
SERVER_SETTINGS = {
    "statement_timeout": "6s",
    # Shorter than requests wait for a connection: those that wait for a lock must not keep the pool from the others.
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "30s",
    "timezone": "UTC",
    "jit": "off",
    # Memoize allocates memory for every row of a join, although LIMIT leaves fifty: milliseconds per statement.
    "enable_memoize": "off",
}


class Pool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool, with a metric for timeouts."""

    __module__ = AsyncAdaptedQueuePool.__module__  # the name of its logger

    @override
    def connect(self) -> PoolProxiedConnection:
        try:
            return super().connect()
        except PoolTimeoutError:
            metrics.POOL_TIMEOUTS.inc()
            raise


def create_engine(settings: Settings, name: str, command_seconds: float | None = None) -> AsyncEngine:
    """Create an engine, which connects at its first use.

    Args:
        settings: DATABASE_URL and DATABASE_POOL_SIZE are used.
        name: part of the ``application_name`` in ``pg_stat_activity``.
        command_seconds: how long a statement may take before the connection is considered dead; None for no limit.

    """
    engine = engine_to(
        settings.database,
        name,
        SERVER_SETTINGS,
        command_seconds,
        poolclass=Pool,
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        pool_use_lifo=True,  # after an outage a dead connection is found soon, and invalidates the others
        skip_autocommit_rollback=True,
        hide_parameters=True,  # of errors in the log: they are password hashes and email addresses
    )
    event.listen(engine.sync_engine, "checkout", _reject_closed_connection)
    event.listen(engine.sync_engine, "handle_error", _mark_disconnect)
    event.listen(engine.sync_engine, "close", _terminate)
    return engine


def _reject_closed_connection(connection: Any, *_: object) -> None:
    # The event loop notices if the server closes the connection. Unlike ``pool_pre_ping`` this needs no round trip.
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError


def _is_connection_useless(error: BaseException | None) -> bool:
    """Return whether the server did not respond, closed the connection, or is read-only since a failover."""
    return error is not None and (isinstance(error, DESYNCHRONISED) or sqlstate(error) in {READ_ONLY, STANDBY})


def _mark_disconnect(context: ExceptionContext) -> None:
    error = context.original_exception
    if _is_connection_useless(error.__cause__ or error):
        context.is_disconnect = context.invalidate_pool_on_disconnect = True


def _terminate(connection: Any, _: object) -> None:
    # A graceful close waits for the server, which may be unreachable.
    connection.driver_connection.terminate()


def with_connection_metrics(engine: AsyncEngine) -> AsyncEngine:
    """Measure how many connections of the engine's pool are in use. For one engine per process."""
    pool: Any = engine.sync_engine.pool
    metrics.CONNECTIONS_LIMIT.set(pool.size())
    event.listen(pool, "checkout", lambda *_: metrics.CONNECTIONS.set(pool.checkedout()))
    event.listen(
        pool, "checkin", lambda *_: metrics.CONNECTIONS.set(pool.checkedout() - 1)
    )  # still counted during the event
    return engine


def autocommit_engine(engine: AsyncEngine) -> AsyncEngine:
    """Return an engine on the same pool for reads: in autocommit, without BEGIN and COMMIT around each statement."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


ConnectDriver = Callable[[], AbstractAsyncContextManager[asyncpg.Connection]]


class DriverConnection:
    """Checks asyncpg's own connection out of the pool, to run statements without SQLAlchemy (``db.statements``)."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._checkout = engine.sync_engine.raw_connection

    async def __aenter__(self) -> asyncpg.Connection:
        """Check out a connection. A greenlet, the costly part, is only created if the pool has to wait or connect."""
        try:
            self._pooled = self._checkout()
        except MissingGreenlet:
            self._pooled = await greenlet_spawn(self._checkout)
        return self._pooled.driver_connection

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Return the connection to the pool, closed if a response is pending, a transaction open, or it is useless."""
        connection = self._pooled.driver_connection
        unusable = _is_connection_useless(error) or isinstance(error, asyncio.CancelledError)
        if connection and not connection.is_closed() and (unusable or connection.is_in_transaction()):
            connection.terminate()
        self._pooled.close()
