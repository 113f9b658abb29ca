"""Databases for the stacks of tests, and a primary with its replica."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from accounts.migrations.roles import ROLE
from conftest import temporary_database
from faults.stack import migrate
from postgres import Cluster, throwaway
from support.people import SCHEMA_OWNER
from support.replica_pair import Pair, reading_at
from support.restores import restoring
from support.standby import REPLICATED, execute, standby_of

__all__ = ["restoring"]


@pytest.fixture
def databases() -> Iterator[list[str]]:
    """The URLs of two migrated databases, as their owner connects."""
    with temporary_database() as one, temporary_database() as two:
        yield [url.replace(f"{ROLE}@", f"{SCHEMA_OWNER}@") for url in (one, two)]


@pytest.fixture(scope="module")
def clusters() -> Iterator[tuple[Cluster, Cluster]]:
    with throwaway(REPLICATED) as primary:
        asyncio.run(migrate(primary.url()))
        with standby_of(primary) as standby:
            yield primary, standby


@pytest.fixture
async def pair(clusters: tuple[Cluster, Cluster]) -> AsyncIterator[Pair]:
    """An empty database, and its replica."""
    primary, standby = clusters
    await execute(primary, 'DELETE FROM user_group; DELETE FROM "user"')
    await asyncio.to_thread(standby.start)
    await execute(standby, "SELECT pg_wal_replay_resume()")
    async with reading_at(standby, primary) as pair:
        yield pair
