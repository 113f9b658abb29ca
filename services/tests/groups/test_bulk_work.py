"""Imports do not keep other requests from being served, and there are few at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from httpx2 import Response
from sqlmodel import col, select

from accounts.db.engine import POOL_SECONDS, SERVER_SETTINGS
from accounts.db.session import RequestContext, transaction
from accounts.domain import errors
from accounts.domain.audit.log import record
from accounts.domain.bulk import BulkWork
from accounts.domain.invitations import member_import
from accounts.domain.invitations.store import store_invitations
from accounts.models import Role, User, UserGroup
from support.member_files import CSV, NOTHING, invited
from support.people import World

ROWS = 10_000  # a fifth of the most


class Hall:
    """Two groups of Arthur, who is signed in. Bors, who is in neither group, is signed in, too."""

    def __init__(self, world: World, groups: list[UserGroup], arthur: dict[str, str], bors: dict[str, str]) -> None:
        self.world, self.client = world, world.client
        self.first, self.second = groups
        self.arthur, self.bors = arthur, bors

    async def import_rows(self, group: UserGroup, number: int, headers: dict[str, str] | None = None) -> Response:
        content = "email\n" + "".join(f"knight{n}@example.com\n" for n in range(number))
        path = f"/user-groups/{group.id}/users/import"
        return await self.client.post(path, content=content, headers=(headers or self.arthur) | CSV)


@pytest.fixture
async def hall(busy_world: World) -> Hall:
    arthur, bors = [await busy_world.user(name, is_verified=True) for name in ("arthur", "bors")]
    groups = [await busy_world.group(name, members={arthur: Role.OWNER}) for name in ("Hall", "Yard")]
    return Hall(busy_world, groups, await busy_world.sign_in(arthur), await busy_world.sign_in(bors))


@asynccontextmanager
async def paused_import(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncio.Task[Response]]:
    """An import that has stored its rows, and is about to commit; it goes on after the block."""
    arrived, goes_on = asyncio.Event(), asyncio.Event()

    async def pausing(*args: Any, **values: Any) -> None:
        arrived.set()
        await goes_on.wait()
        await record(*args, **values)

    monkeypatch.setattr(f"{member_import.__name__}.record", pausing)
    importing = asyncio.create_task(hall.import_rows(hall.first, 3))
    await arrived.wait()
    yield importing
    goes_on.set()
    assert (await importing).json() == {"dry_run": False} | NOTHING | {"invited": 3}


async def test_group_can_be_changed_during_an_import(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"/user-groups/{hall.first.id}"
    async with paused_import(hall, monkeypatch):
        renamed = await hall.client.patch(path, json={"name": "Great Hall"}, headers=hall.arthur)
        sent = await hall.client.post(f"{path}/invitations", json={"email": "kay@x.org"}, headers=hall.arthur)

    assert (renamed.status_code, sent.status_code) == (200, 201)


async def test_second_import_by_a_user_or_into_a_group_is_refused_at_once(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    morgana = await hall.world.sign_in(await hall.world.user("morgana", superuser=True))
    async with paused_import(hall, monkeypatch):
        answers = [await hall.import_rows(hall.second, 1), await hall.import_rows(hall.first, 1, morgana)]

    for answer in answers:
        assert (answer.status_code, answer.json()["detail"]) == (409, "IMPORT_IN_PROGRESS")
        assert int(answer.headers["Retry-After"]) > 0
    assert (await hall.import_rows(hall.second, 1)).status_code == 200


async def test_process_refuses_more_bulk_work_than_it_has_connections(busy_world: World) -> None:
    work: BulkWork = busy_world.state["bulk"]
    async with work.transaction(None, "1"), work.transaction(None, "2"):
        with pytest.raises(errors.Busy):
            async with work.transaction(None, "3"):
                pass
    async with work.transaction(None, "1", "3"):
        pass


async def test_deleted_group_refuses_an_import(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"/user-groups/{hall.first.id}"
    async with paused_import(hall, monkeypatch):
        deleting = asyncio.create_task(hall.client.delete(path, headers=hall.arthur))
        await asyncio.sleep(0.2)
        assert not deleting.done()

    assert (await deleting).status_code == 204
    assert (await hall.import_rows(hall.first, 1)).status_code == 404


async def test_actor_who_loses_the_role_meanwhile_imports_nothing(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    async def demoted(*args: Any) -> Any:
        await hall.world.sql("UPDATE membership SET role = 'member'")
        return await store_invitations(*args)

    monkeypatch.setattr(f"{member_import.__name__}.store_invitations", demoted)

    answer = await hall.import_rows(hall.first, 3)

    assert (answer.status_code, answer.json()["detail"]) == (403, "GROUP_FORBIDDEN")
    assert await invited(hall.world, hall.first) == set()


@pytest.mark.parametrize("gone", ["arthur", "group"])
async def test_actor_or_group_that_is_deleted_before_the_import_begins(
    world: World, table: UserGroup, arthur: User, gone: str
) -> None:
    async with transaction(world.sessionmaker, RequestContext(actor_id=arthur.id)) as db:
        if gone == "arthur":
            await db.exec(select(User).where(col(User.id) == arthur.id))
            await world.sql("DELETE FROM \"user\" WHERE email LIKE 'arthur%'")
        else:
            await world.sql(f"DELETE FROM user_group WHERE id = {table.id}")  # noqa: S608  # ours
        expected = errors.UserNotFound if gone == "arthur" else errors.GroupNotFound
        for dry_run in (False, True):
            with pytest.raises(expected):
                await member_import.import_members(db, table.id, arthur, [], "key", _count, dry_run=dry_run)


@pytest.mark.parametrize(
    ("deletion", "expected"),
    [
        ("DELETE FROM \"user\" WHERE email LIKE 'arthur%'", errors.UserNotFound),
        ("DELETE FROM user_group", errors.GroupNotFound),
    ],
)
async def test_actor_or_group_that_is_deleted_while_the_file_is_read(
    world: World, table: UserGroup, arthur: User, deletion: str, expected: type[errors.Refusal]
) -> None:
    async def delete_meanwhile(_: int) -> None:
        await world.sql(deletion)

    async with transaction(world.sessionmaker, RequestContext(actor_id=arthur.id)) as db:
        with pytest.raises(expected):
            await member_import.import_members(db, table.id, arthur, [], "key", delete_meanwhile, dry_run=False)


async def _count(_: int) -> None:
    """Count nothing."""


def test_requests_wait_longer_for_a_connection_than_for_a_lock() -> None:
    """So requests that wait for a lock leave the pool before the others give up."""
    assert float(SERVER_SETTINGS["lock_timeout"].removesuffix("s")) < POOL_SECONDS


@pytest.mark.parametrize("lock_timeout", ["200ms"])
async def test_request_that_waits_for_a_lock_is_refused(hall: Hall) -> None:
    async with transaction(hall.world.sessionmaker) as db:
        await db.exec(select(UserGroup).where(UserGroup.id == hall.first.id).with_for_update())
        path = f"/user-groups/{hall.first.id}"
        answer = await hall.client.patch(path, json={"name": "Great Hall"}, headers=hall.arthur)

    assert (answer.status_code, answer.json()["detail"]) == (503, "SERVICE_UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.slow
@pytest.mark.parametrize("query", ["", "?dry_run=true"])
async def test_large_import_does_not_hold_up_other_requests(hall: Hall, query: str) -> None:
    content = "email\n" + "".join(f"knight{number}@example.com\n" for number in range(ROWS))
    path, others = f"/user-groups/{hall.first.id}", f"/user-groups/{hall.second.id}"
    importing = asyncio.create_task(
        hall.client.post(f"{path}/users/import{query}", content=content, headers=hall.arthur | CSV)
    )
    await asyncio.sleep(0.1)

    async def status(method: str, url: str, headers: dict[str, str], **body: Any) -> int:
        return (await hall.client.request(method, url, headers=headers, **body)).status_code

    of_group, of_others = [], []
    while not importing.done():
        requests = [status("PATCH", path, hall.arthur, json={"description": str(number)}) for number in range(60)]
        requests += [status("GET", f"{others}/users", hall.bors) for _ in range(20)]
        requests += [status("GET", "/users/me", hall.bors) for _ in range(20)]
        answers = await asyncio.gather(*requests)
        of_group += answers[:60]
        of_others += answers[60:]

    assert (await importing).json()["invited"] == ROWS, importing.result().text
    assert len(of_others) >= 40
    assert set(of_others) == {200}
    assert set(of_group) <= {200, 503}  # on a busy machine they may wait for each other
    assert of_group.count(200) > len(of_group) / 2
