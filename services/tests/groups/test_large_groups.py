"""A large group is gone at once when it is deleted; the worker deletes its memberships."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from accounts.db.engine import create_engine
from accounts.db.session import create_sessionmaker, transaction
from accounts.domain.groups import deletion
from accounts.domain.mail.outbox import enqueue_notice
from accounts.domain.mail.queue import lease_next
from accounts.models import MailKind, Membership, Role, User, UserGroup, Visibility
from accounts.settings import Settings
from accounts.worker.delivery import LEASE
from accounts.worker.obsolete_mail import role_is_current
from accounts.worker.transports import Folder
from accounts.worker.worker import Worker
from support.account_pages import enter
from support.operations import Operation, name_of, operations, page_operations
from support.people import World
from support.waiting import PATIENCE, eventually, wait_for_lock

NAME = "Order of the Bath"
LARGE = "UPDATE user_group SET member_count = member_count + 10000"  # as if it had so many more
READS = [each for each in (*operations(), *page_operations()) if each.method == "get" and "{path}" not in each.path]
KNIGHTS = """
INSERT INTO "user" (id, email, hashed_password, is_active, is_superuser, is_verified)
SELECT uuidv7(), i || '@example.com', '', true, false, false FROM generate_series(1, 25) i
"""
ORDERS = "INSERT INTO user_group (name) SELECT 'Order ' || i FROM generate_series(1, 3) i"
ALL = 'INSERT INTO membership (group_id, user_id) SELECT g.id, u.id FROM user_group g, "user" u'
LEFT = "SELECT count(*) FROM membership WHERE group_id NOT IN (SELECT id FROM user_group)"


async def delete_large(world: World, owner: User) -> UserGroup:
    """Delete a large group of two by the API."""
    group = await world.group(
        NAME, Visibility.PUBLIC, members={owner: Role.OWNER, await world.user("bors"): Role.ADMIN}
    )
    await world.sql(LARGE)
    response = await world.client.delete(f"/user-groups/{group.id}", headers=await world.sign_in(owner))
    assert response.status_code == 204, response.text
    return group


@pytest.mark.parametrize("operation", READS, ids=name_of)
async def test_nothing_shows_a_deleted_group_whose_members_are_stored(world: World, operation: Operation) -> None:
    morgana = await world.user("morgana", superuser=True)
    group = await delete_large(world, morgana)
    path = operation.path.replace("{group_id}", str(group.id)).replace("{user_id}", str(morgana.id))
    url = operation._replace(path=path).url
    headers = await world.sign_in(morgana) if "html" not in str(operation.description["responses"]) else {}
    cookie = await enter(world, morgana.email)

    response = await world.client.get(url, headers=headers or {"Cookie": cookie})

    assert response.status_code == 404 or "{group_id}" not in operation.path
    assert NAME not in response.text


async def test_name_is_free_and_the_last_owner_may_leave(world: World) -> None:
    arthur = await world.user("arthur", superuser=True)
    await world.user("morgana", superuser=True)
    await delete_large(world, arthur)
    headers = await world.sign_in(arthur)

    again = await world.client.post("/user-groups", json={"name": NAME, "visibility": "public"}, headers=headers)
    await world.client.delete(f"/user-groups/{again.json()['id']}", headers=headers)
    deleted = await world.client.delete(f"/users/{arthur.id}", headers=headers)

    assert (again.status_code, deleted.status_code) == (201, 204)


async def test_small_group_goes_with_its_members(world: World) -> None:
    arthur = await world.user("arthur")
    group = await world.group(NAME, members={arthur: Role.OWNER})

    await world.client.delete(f"/user-groups/{group.id}", headers=await world.sign_in(arthur))

    async with world.owner() as db:
        assert not (await db.exec(select(Membership))).all()
        assert await deletion.delete_batch(db) is None


async def test_notice_of_a_role_in_a_deleted_group_is_obsolete(world: World) -> None:
    arthur, galahad = await world.user("arthur"), await world.user("galahad")
    group = await world.group(NAME, members={arthur: Role.OWNER, galahad: Role.ADMIN})
    detail = {"group_id": group.id, "group_name": NAME, "by_user": False, "role": Role.ADMIN, "was": Role.MEMBER}
    async with transaction(world.sessionmaker) as db:
        await enqueue_notice(db, MailKind.ROLE_CHANGED, galahad, **detail)
    async with transaction(world.sessionmaker) as db:
        [mail] = await lease_next(db, LEASE, 1)
        before = await role_is_current(db, mail)
    await world.sql(LARGE)

    await world.client.delete(f"/user-groups/{group.id}", headers=await world.sign_in(arthur))

    async with transaction(world.sessionmaker) as db:
        assert (before, await role_is_current(db, mail)) == (True, False)


async def test_deleted_group_gets_no_members(busy_world: World) -> None:
    arthur, bors = await busy_world.user("arthur"), await busy_world.user("bors")
    group = await busy_world.group(NAME, members={arthur: Role.OWNER})
    await busy_world.sql(LARGE)
    async with transaction(busy_world.sessionmaker) as db:
        await db.delete(await db.get_one(UserGroup, group.id))
        await db.flush()
        joining = asyncio.create_task(busy_world.join(group.id, bors, Role.MEMBER))
        await wait_for_lock(busy_world, "the new member waits for the group")

    with pytest.raises(IntegrityError, match="a group that does not exist"):
        await joining


@pytest.fixture
async def connection(owned_database: str) -> AsyncIterator[asyncpg.Connection]:
    """Three groups of 25 members, two of which are deleted while they are large."""
    connection = await asyncpg.connect(owned_database)
    for statement in (KNIGHTS, ORDERS, ALL, LARGE, "DELETE FROM user_group WHERE name <> 'Order 2'"):
        await connection.execute(statement)
    yield connection
    await connection.close()


@pytest.fixture
def owner_settings(fresh_settings: Settings, owned_database: str) -> Settings:
    return fresh_settings.model_copy(update={"database_url": SecretStr(owned_database)})


async def test_worker_deletes_all_members_of_deleted_groups_in_batches(
    connection: asyncpg.Connection, owner_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "BATCH_ROWS", 10)
    assert await connection.fetchval(LEFT) == 50
    worker = Worker(owner_settings, Folder(tmp_path))
    running = asyncio.create_task(worker.run())

    async def deleted() -> bool:
        return bool(await connection.fetchval("SELECT count(*) = 1 FROM group_key"))

    await eventually("the worker has deleted the keys of two groups", deleted)
    worker.stop()
    await asyncio.wait_for(running, PATIENCE)
    assert await connection.fetchval("SELECT count(*) FROM membership") == 25
    assert await connection.fetchval(LEFT) == 0


async def test_batches_do_not_wait_for_a_member_that_another_transaction_has_locked(
    connection: asyncpg.Connection, owner_settings: Settings
) -> None:
    engine = create_engine(owner_settings, "test")
    try:
        async with connection.transaction():
            await connection.execute("SELECT FROM membership ORDER BY user_id LIMIT 1 FOR UPDATE")
            async with transaction(create_sessionmaker(engine)) as db:
                last = await deletion.delete_batch(db)
            assert last is not None
            assert await connection.fetchval(LEFT) == 26
        async with transaction(create_sessionmaker(engine)) as db:
            assert await deletion.delete_batch(db, last) == deletion.START
        assert await connection.fetchval(LEFT) == 25
    finally:
        await engine.dispose()
