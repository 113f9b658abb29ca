"""The pool of connections to PostgreSQL: how many, for how long anybody waits, and which are of no use any more."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, override

import asyncpg
from sqlalchemy import ExceptionContext, event
from sqlalchemy.exc import InvalidatePoolError, MissingGreenlet
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from accounts.db.errors import DESYNCHRONISED, READ_ONLY, sqlstate
from accounts.observability import metrics
from accounts.settings import Settings

CONNECT_SECONDS = 5
POOL_SECONDS = 3
# Patience nests: a server gives a statement up before its client takes it for dead, and that is before a request's end.
COMMAND_SECONDS = 7
SERVER_SETTINGS = {
    "statement_timeout": "6s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
    "timezone": "UTC",
    "jit": "off",
    # It makes room for every row that there might be, of which a page's LIMIT leaves fifty: milliseconds for nothing.
    "enable_memoize": "off",
}


class Pool(AsyncAdaptedQueuePool):
    """SQLAlchemy's, counting who has waited in vain."""

    __module__ = AsyncAdaptedQueuePool.__module__  # by which its logger is named

    @override
    def connect(self) -> PoolProxiedConnection:
        try:
            return super().connect()
        except PoolTimeoutError:
            metrics.POOL_TIMEOUTS.inc()
            raise


def create_engine(settings: Settings, name: str, command_seconds: float | None = None) -> AsyncEngine:
    """Make an engine that connects at its first use; ``name`` shows in ``pg_stat_activity``.

    A server that says nothing for ``command_seconds`` is taken for dead, where nothing is asked that takes longer.
    """
    engine = create_async_engine(
        settings.database,
        poolclass=Pool,
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        pool_use_lifo=True,  # so that one that was found dead is come across next, and condemns the others
        skip_autocommit_rollback=True,
        connect_args={
            "timeout": CONNECT_SECONDS,
            "command_timeout": command_seconds,
            "server_settings": SERVER_SETTINGS | {"application_name": f"accounts-{name}"},
        },
    )
    event.listen(engine.sync_engine, "checkout", _reject_closed_connection)
    event.listen(engine.sync_engine, "handle_error", _mark_disconnect)
    event.listen(engine.sync_engine, "close", _terminate)
    return engine


def _reject_closed_connection(connection: Any, *_: object) -> None:
    # A server that stops closes its connections, and the event loop has seen it: no round trip is needed to find out.
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError


def _is_connection_useless(error: BaseException | None) -> bool:
    """Tell of the driver's error that the server says nothing, has said goodbye, or only reads since a failover."""
    return error is not None and (isinstance(error, DESYNCHRONISED) or sqlstate(error) == READ_ONLY)


def _mark_disconnect(context: ExceptionContext) -> None:
    error = context.original_exception
    if _is_connection_useless(error.__cause__ or error):
        context.is_disconnect = context.invalidate_pool_on_disconnect = True


def _terminate(connection: Any, _: object) -> None:
    # Saying goodbye waits for an answer, which does not come where the network is gone.
    connection.driver_connection.terminate()


def with_connection_metrics(engine: AsyncEngine) -> AsyncEngine:
    """Show how many connections of the engine's pool are in use; a process has one such engine."""
    pool: Any = engine.sync_engine.pool
    metrics.CONNECTIONS_LIMIT.set(pool.size())
    event.listen(pool, "checkout", lambda *_: metrics.CONNECTIONS.set(pool.checkedout()))
    event.listen(pool, "checkin", lambda *_: metrics.CONNECTIONS.set(pool.checkedout() - 1))  # it is still counted
    return engine


def autocommit_engine(engine: AsyncEngine) -> AsyncEngine:
    """Give the same pool for requests that only read: each statement by itself, without BEGIN and COMMIT around it."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


ConnectDriver = Callable[[], AbstractAsyncContextManager[asyncpg.Connection]]


class DriverConnection:
    """Take asyncpg's own connection out of the pool, for statements that SQLAlchemy has compiled and does not run."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._take = engine.sync_engine.raw_connection

    async def __aenter__(self) -> asyncpg.Connection:
        """Take one; there is a greenlet, which costs more than the rest, only where something is waited for."""
        try:
            self._taken = self._take()
        except MissingGreenlet:
            self._taken = await greenlet_spawn(self._take)
        return self._taken.driver_connection

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Give it back, but dead where it is of no use: an answer is due, a transaction open, the server only reads."""
        connection = self._taken.driver_connection
        lost = _is_connection_useless(error) or isinstance(error, asyncio.CancelledError)
        if connection and not connection.is_closed() and (lost or connection.is_in_transaction()):
            connection.terminate()
        self._taken.close()
