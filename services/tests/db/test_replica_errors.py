"""Where a replica is read, and when the primary is asked instead."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial

import asyncpg
import pytest
from pydantic import SecretStr

from accounts.db.engine import ConnectDriver, DriverConnection, create_engine
from accounts.db.replica import Replica, open_replica
from accounts.settings import Settings
from conftest import temporary_database

PRIMARY, REPLICA = "accounts-primary", "accounts-replica"
CONNECTIONS = 2


@asynccontextmanager
async def opened(settings: Settings, read_url: SecretStr) -> AsyncIterator[tuple[Replica, ConnectDriver]]:
    """Open the replica at a URL, with two connections, and connections to the primary."""
    engine = create_engine(settings, "primary")
    changed = {"database_read_url": read_url, "database_pool_size": CONNECTIONS}
    async with open_replica(settings.model_copy(update=changed)) as replica:
        yield replica, partial(DriverConnection, engine)
    await engine.dispose()


@pytest.fixture
async def servers(fresh_settings: Settings) -> AsyncIterator[tuple[Replica, ConnectDriver]]:
    """A replica and its primary. They are one database, and told apart by the names of their connections."""
    async with opened(fresh_settings, fresh_settings.database_url) as servers:
        yield servers


async def server(db: asyncpg.Connection) -> str:
    """Return which server a connection leads to."""
    return str(await db.fetchval("SELECT current_setting('application_name')"))


async def test_replica_that_cannot_run_a_statement_is_left_alone_for_a_while(
    servers: tuple[Replica, ConnectDriver],
) -> None:
    """For example one that has not replayed a migration yet."""
    replica, primary = servers
    asked: list[str] = []

    async def work(db: asyncpg.Connection) -> str:
        asked.append(await server(db))
        return "rows" if asked[-1] == PRIMARY else await db.fetchval("SELECT added_column FROM alembic_version")

    assert [await replica.read(primary, work) for _ in range(2)] == ["rows", "rows"]

    assert asked == [REPLICA, PRIMARY, PRIMARY]


@pytest.mark.parametrize("value", ["no number", "9" * 20])
async def test_value_that_no_server_accepts_does_not_keep_others_from_the_replica(
    servers: tuple[Replica, ConnectDriver], value: str
) -> None:
    replica, primary = servers

    async def read_number(db: asyncpg.Connection) -> int:
        return int(await db.fetchval("SELECT CAST($1::text AS int)", value))

    with pytest.raises(asyncpg.PostgresError):
        await replica.read(primary, read_number)

    assert await replica.read(primary, server) == REPLICA


async def test_refusal_of_the_domain_is_no_error_of_the_replica(servers: tuple[Replica, ConnectDriver]) -> None:
    replica, primary = servers

    async def refuse(_: asyncpg.Connection) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await replica.read(primary, refuse)

    assert await replica.read(primary, server) == REPLICA


async def test_one_read_tries_the_replica_and_then_as_many_as_it_has_connections(
    servers: tuple[Replica, ConnectDriver],
) -> None:
    """Others do not wait for it."""
    replica, primary = servers
    reading = asyncio.Semaphore(0)
    finish = asyncio.Event()

    async def slow(db: asyncpg.Connection) -> str:
        reading.release()
        await finish.wait()
        return await server(db)

    async def with_slow_reads(reads: int) -> list[str]:
        finish.clear()
        tasks = [asyncio.create_task(replica.read(primary, slow)) for _ in range(reads)]
        for _ in tasks:
            await reading.acquire()
        other = await replica.read(primary, server)
        finish.set()
        return [*await asyncio.gather(*tasks), other]

    assert await with_slow_reads(1) == [REPLICA, PRIMARY]
    assert await with_slow_reads(CONNECTIONS) == [REPLICA, REPLICA, PRIMARY]
    assert await replica.read(primary, server) == REPLICA


@pytest.fixture
def another_database() -> Iterator[SecretStr]:
    with temporary_database() as url:
        yield SecretStr(url)


async def test_another_database_is_no_replica(
    fresh_settings: Settings, another_database: SecretStr, caplog: pytest.LogCaptureFixture
) -> None:
    """It may have rows of other users under the same ids."""
    async with opened(fresh_settings, another_database) as (replica, primary):
        with caplog.at_level(logging.WARNING, logger="accounts.db"):
            assert await replica.read(primary, server) == PRIMARY

    assert "NotAStandbyError" in caplog.text
