"""The database counts members by itself, whichever statement adds or removes them."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from support.schema import Alembic

BEFORE = "39676ef42942"  # before members were counted
PEOPLE = """
INSERT INTO "user" (id, email, hashed_password, is_active, is_superuser, is_verified)
SELECT uuidv7(), i || '@example.com', '', true, false, false FROM generate_series(1, 5) i
"""
GROUPS = "INSERT INTO user_group (name) SELECT 'Group ' || i FROM generate_series(1, 3) i"
COUNTS = """
SELECT member_count, (SELECT count(*) FROM membership WHERE group_id = user_group.id) FROM user_group ORDER BY id
"""
ALL = 'INSERT INTO membership (group_id, user_id) SELECT g.id, u.id FROM user_group g, "user" u'


@pytest.fixture
async def connection(owned_database: str) -> AsyncIterator[asyncpg.Connection]:
    """Five users and three empty groups."""
    connection = await asyncpg.connect(owned_database)
    for statement in (PEOPLE, GROUPS):
        await connection.execute(statement)
    yield connection
    await connection.close()


async def counts(connection: asyncpg.Connection) -> list[int]:
    """Return the stored counts, after comparing them with the rows."""
    rows = await connection.fetch(COUNTS)
    assert all(stored == counted for stored, counted in rows)
    return [stored for stored, _ in rows]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DELETE FROM \"user\" WHERE email = '1@example.com'", [4, 4, 4]),
        ('DELETE FROM "user"', [0, 0, 0]),
        ("DELETE FROM user_group WHERE name = 'Group 2'", [5, 5]),
        ("DELETE FROM membership WHERE group_id = (SELECT max(id) FROM user_group)", [5, 5, 0]),
        ("DELETE FROM membership", [0, 0, 0]),
        ("DELETE FROM membership WHERE false", [5, 5, 5]),
        (f"{ALL} ON CONFLICT DO NOTHING", [5, 5, 5]),
        ("UPDATE membership SET role = 'admin'", [5, 5, 5]),
    ],
    ids=["user", "users", "group", "members", "all", "none", "again", "role"],
)
async def test_member_count_follows_inserts_and_deletes(
    connection: asyncpg.Connection, statement: str, expected: list[int]
) -> None:
    await connection.execute(ALL)
    assert await counts(connection) == [5, 5, 5]

    await connection.execute(statement)

    assert await counts(connection) == expected


async def test_member_count_follows_copy(connection: asyncpg.Connection) -> None:
    records = await connection.fetch('SELECT g.id, u.id FROM user_group g, "user" u ORDER BY u.id, g.id')
    records = [record for record in records if record[0] != records[2][0]]  # but for the third group

    await connection.copy_records_to_table("membership", records=records[:7], columns=["group_id", "user_id"])
    assert await counts(connection) == [4, 3, 0]
    await connection.copy_records_to_table("membership", records=records[7:], columns=["group_id", "user_id"])
    assert await counts(connection) == [5, 5, 0]


async def test_member_count_is_rolled_back_with_its_transaction(connection: asyncpg.Connection) -> None:
    await connection.execute(ALL)

    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.execute(ALL)

    assert await counts(connection) == [5, 5, 5]


async def test_migration_recounts_members(connection: asyncpg.Connection, alembic: Alembic) -> None:
    await connection.execute(ALL)

    await asyncio.to_thread(alembic, "downgrade", BEFORE)
    await connection.execute("DELETE FROM membership WHERE group_id = (SELECT max(id) FROM user_group)")
    await asyncio.to_thread(alembic, "upgrade", "head")

    assert await counts(connection) == [5, 5, 0]


async def test_members_of_missing_groups_are_refused(connection: asyncpg.Connection) -> None:
    await connection.execute("UPDATE user_group SET member_count = 20000 WHERE name = 'Group 2'")
    await connection.execute("DELETE FROM user_group WHERE name = 'Group 2'")  # its key stays, for the worker

    for every_group in ("SELECT id FROM group_key", "SELECT 999"):
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await connection.execute(f'INSERT INTO membership SELECT g.id, u.id FROM ({every_group}) g (id), "user" u')  # noqa: S608  # constants
