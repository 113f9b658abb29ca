"""Connecting to PostgreSQL: the hosts of DATABASE_URL in turn, each with its share of the time."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import asyncpg
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from accounts.database_url import DatabaseUrl, Host

CONNECT_SECONDS = 4  # for all hosts together
# A server notices after a minute that a client has lost its power, and ends its transactions. The default is two hours.
KEEPALIVES = {"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3"}
# The next host may be better. An error of credentials is no reason to ask another one.
NEXT_HOST = (OSError, asyncpg.CannotConnectNowError, asyncpg.TargetServerAttributeNotMatched)


def engine_to(
    url: DatabaseUrl,
    name: str,
    server_settings: Mapping[str, str] | None = None,
    command_timeout: float | None = None,
    **options: Any,
) -> AsyncEngine:
    """Create an engine, which connects to ``url`` at its first use.

    Args:
        url: the database.
        name: part of the ``application_name`` in ``pg_stat_activity``, unless the URL has one.
        server_settings: parameters of PostgreSQL, which take precedence over those of the URL.
        command_timeout: how long a statement may take before the connection is considered dead; None for no limit.
        options: of SQLAlchemy's ``create_async_engine``.

    """
    settings = KEEPALIVES | {"application_name": f"accounts-{name}"} | url.startup | dict(server_settings or {})
    connector = Connector(url, server_settings=settings, command_timeout=command_timeout)
    only_names_it = URL.create("postgresql+asyncpg", database=url.database)
    return create_async_engine(only_names_it, connect_args={"async_creator_fn": connector}, **options)


class Connector:
    """Opens connections. The host that accepted the last one is asked first.

    libpq and asyncpg begin with the first host each time, and asyncpg has one time limit for all: while the first host
    is silent, no connection would reach another.
    """

    def __init__(self, url: DatabaseUrl, **arguments: Any) -> None:
        self._hosts = list(url.hosts)
        self._patience = url.connect_timeout or CONNECT_SECONDS
        self._arguments = url.arguments | arguments

    async def __call__(self, **_: object) -> asyncpg.Connection:
        """Open a connection, within four seconds.

        Raises:
            OSError, asyncpg.PostgresError, asyncpg.InternalClientError: of the last host that was asked.

        """
        *others, last = self._hosts
        deadline = asyncio.get_running_loop().time() + CONNECT_SECONDS
        for left, host in zip(range(len(others), 0, -1), others, strict=True):
            with suppress(*NEXT_HOST):
                return await self._connect(host, deadline, left + 1)
        return await self._connect(last, deadline, 1)

    async def _connect(self, host: Host, deadline: float, shares: int) -> asyncpg.Connection:
        seconds = (deadline - asyncio.get_running_loop().time()) / shares
        connection = await asyncpg.connect(
            host=host[0], port=host[1], timeout=min(seconds, self._patience), **self._arguments
        )
        self._hosts.sort(key=host.__ne__)
        return connection
