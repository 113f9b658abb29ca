"""Public groups whose names look the same, from before names were compared without what cannot be seen."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from support.schema import Alembic

BEFORE = "4e8d21b7c6f3"  # before names were compared like this
GROUPS = {
    "Chess": "public",
    "Chess\u200b": "public",
    "\u3164Chess": "private",
    "CHESS\u00ad": "public",
    "Go": "public",
    "\u200b": "public",
    "\u3164": "public",
}


@pytest.fixture
async def connection(owned_database: str, alembic: Alembic) -> AsyncIterator[asyncpg.Connection]:
    """The groups above, in the schema of before."""
    await asyncio.to_thread(alembic, "downgrade", BEFORE)
    connection = await asyncpg.connect(owned_database)
    await connection.executemany("INSERT INTO user_group (name, visibility) VALUES ($1, $2)", list(GROUPS.items()))
    yield connection
    await connection.close()


async def visibilities(connection: asyncpg.Connection) -> dict[str, Any]:
    return dict(await connection.fetch("SELECT name, visibility FROM user_group"))


async def test_oldest_of_the_groups_that_look_the_same_stays_public(
    connection: asyncpg.Connection, alembic: Alembic
) -> None:
    await asyncio.to_thread(alembic, "upgrade", "head")

    hidden = {"Chess\u200b", "CHESS\u00ad", "\u3164"}
    assert await visibilities(connection) == GROUPS | dict.fromkeys(hidden, "private")
    events = await connection.fetch(
        "SELECT name, action, actor_id, detail FROM audit_event JOIN user_group ON user_group.id = group_id"
    )
    detail = '{"changed": ["visibility"], "visibility": "private"}'
    assert {tuple(event) for event in events} == {(name, "group.changed", None, detail) for name in hidden}


async def test_downgrade_succeeds_with_the_names_that_the_upgrade_left(
    connection: asyncpg.Connection, alembic: Alembic
) -> None:
    await asyncio.to_thread(alembic, "upgrade", "head")
    upgraded = await visibilities(connection)

    await asyncio.to_thread(alembic, "downgrade", BEFORE)

    assert await visibilities(connection) == upgraded
