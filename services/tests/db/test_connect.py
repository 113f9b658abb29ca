"""Connections to one of several hosts, and what PostgreSQL is told about them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import pytest

from accounts.database_url import DatabaseUrl
from accounts.db import connect
from accounts.db.connect import KEEPALIVES, Connector
from accounts.db.engine import DriverConnection, create_engine
from accounts.migrations.roles import ROLE
from accounts.settings import Settings
from support.certificates import authority
from support.tls_front import TlsFront


class BlackHole:
    """A TCP port that accepts connections and never answers."""

    def __init__(self) -> None:
        self.connections = 0

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1")
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await reader.read()
        while await reader.read(1024):
            pass
        writer.close()


@pytest.fixture
async def fronts(worker_database: str) -> AsyncIterator[list[TlsFront]]:
    """Two hosts that lead to the same database."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(TlsFront(worker_database, authority().server)) for _ in range(2)]


def address(front: TlsFront) -> str:
    return f"127.0.0.1:{front.port}"


def connector(worker_database: str, *hosts: str, role: str = ROLE, query: str = "") -> Connector:
    name = worker_database.partition("@/")[2].partition("?")[0]
    return Connector(DatabaseUrl.parse(f"postgresql://{role}@{','.join(hosts)}/{name}?{query}"))


async def test_silent_host_leaves_time_for_the_next_one_and_is_asked_last_from_then_on(
    worker_database: str, fronts: list[TlsFront], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "CONNECT_SECONDS", 1)
    hole = BlackHole()
    async with hole as silent:
        several = connector(worker_database, silent, address(fronts[0]))
        for _ in range(3):
            await (await several()).close()

    assert hole.connections == 1


async def test_the_time_for_all_hosts_together_is_limited(
    worker_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "CONNECT_SECONDS", 0.2)
    async with BlackHole() as one, BlackHole() as other, asyncio.timeout(5):
        with pytest.raises(TimeoutError):
            await connector(worker_database, one, other)()


async def test_connect_timeout_of_the_url_is_that_of_one_host(worker_database: str, fronts: list[TlsFront]) -> None:
    async with BlackHole() as silent:
        begun = asyncio.get_running_loop().time()
        await (await connector(worker_database, silent, address(fronts[0]), query="connect_timeout=1")()).close()

    assert asyncio.get_running_loop().time() - begun < connect.CONNECT_SECONDS / 2


async def test_host_that_fails_is_replaced_by_the_next_one(worker_database: str, fronts: list[TlsFront]) -> None:
    several = connector(worker_database, *map(address, fronts))
    await (await several()).close()
    await fronts[0].__aexit__()

    for _ in range(2):
        await (await several()).close()


async def test_refused_role_is_an_error_of_the_first_host(worker_database: str, fronts: list[TlsFront]) -> None:
    async with BlackHole() as silent:
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
            await connector(worker_database, address(fronts[0]), silent, role="nobody")()


async def test_server_ends_the_connections_of_clients_that_are_gone(
    fronts: list[TlsFront], fresh_settings: Settings
) -> None:
    url = type(fresh_settings.database_url)(fronts[0].url(ROLE, ""))
    engine = create_engine(fresh_settings.model_copy(update={"database_url": url}), "test")
    async with DriverConnection(engine) as connection:
        told = {
            name: await connection.fetchval("SELECT reset_val FROM pg_settings WHERE name = $1", name)
            for name in KEEPALIVES
        }
    await engine.dispose()

    assert told == KEEPALIVES
