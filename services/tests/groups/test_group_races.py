"""Concurrent changes of a group, on real connections and with real commits: a group always keeps an owner."""

import asyncio
import random
from collections.abc import Awaitable
from functools import partial
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import text
from sqlmodel import col, func, select

from accounts.db.session import transaction
from accounts.models import Membership, Role, User, UserGroup, Visibility
from accounts.schemas.identity.users import SuperuserUpdate
from support.people import SCHEMA_OWNER, World
from support.waiting import eventually

pytestmark = pytest.mark.slow
ROUNDS = 10


class Court:
    """Two owners of groups and a superuser, each with the headers of a sign-in."""

    def __init__(self, world: World, people: list[User], tickets: list[dict[str, str]]) -> None:
        self.world, self.client = world, world.client
        self.arthur, self.guinevere, self.morgana = people
        self.as_arthur, self.as_guinevere, self.as_morgana = tickets

    async def group(self, members: dict[User, Role] | None = None) -> UserGroup:
        """Create a group of Arthur and others, by default with Guinevere as a second owner."""
        others = members or {self.guinevere: Role.OWNER}
        return await self.world.group("Shared", Visibility.PRIVATE, members={self.arthur: Role.OWNER, **others})

    async def extra(self) -> tuple[User, dict[str, str]]:
        """Create a user who may be deactivated or deleted, and sign in."""
        user = await self.world.user(f"extra-{random.getrandbits(64)}")
        return user, await self.world.sign_in(user)

    async def drop(self, group: UserGroup) -> None:
        await self.client.delete(f"/user-groups/{group.id}", headers=self.as_morgana)


@pytest.fixture
async def court(busy_world: World) -> Court:
    people = [await busy_world.user(name, superuser=name == "morgana") for name in ("arthur", "guinevere", "morgana")]
    return Court(busy_world, people, [await busy_world.sign_in(each) for each in people])


async def at_once(*requests: Awaitable[Response]) -> list[int]:
    return [answer.status_code for answer in await asyncio.gather(*requests)]


async def owners(court: Court, group: UserGroup) -> int:
    """Count the active owners."""
    async with transaction(court.world.sessionmaker) as db:
        statement = select(func.count()).select_from(Membership).join(User)
        conditions = (col(Membership.group_id) == group.id, Membership.role == Role.OWNER, col(User.is_active))
        return (await db.exec(statement.where(*conditions))).one()


def member(group: UserGroup, user: User) -> str:
    return f"/user-groups/{group.id}/users/{user.id}"


async def test_request_in_a_deadlock_is_answered_with_503_and_can_be_repeated(court: Court) -> None:
    """The service locks in one order; a user of psql may not. PostgreSQL ends one of them, with nothing changed."""
    group = await court.group()
    async with transaction(court.world.sessionmaker) as stranger:
        connection = await stranger.connection()
        for each in (f"SET ROLE {SCHEMA_OWNER}", "SET LOCAL deadlock_timeout = '9s'", "RESET ROLE"):
            await connection.execute(text(each))
        await stranger.exec(select(UserGroup).where(UserGroup.id == group.id).with_for_update())
        change = partial(
            court.client.patch, member(group, court.guinevere), json={"role": "admin"}, headers=court.as_arthur
        )
        first = asyncio.create_task(change())
        await lock_wait(court.world)
        await stranger.exec(select(User).where(col(User.id) == court.guinevere.id).with_for_update())

    assert ((await first).status_code, (await first).headers["Retry-After"]) == (503, "2")
    assert (await change()).json()["role"] == "admin"


async def test_one_of_two_owners_who_leave_concurrently_stays(court: Court) -> None:
    for _ in range(ROUNDS):
        group = await court.group()

        statuses = await at_once(
            court.client.delete(member(group, court.arthur), headers=court.as_arthur),
            court.client.delete(member(group, court.guinevere), headers=court.as_guinevere),
        )

        assert sorted(statuses) == [204, 409]
        assert await owners(court, group) == 1
        await court.drop(group)


async def test_one_of_two_owners_who_demote_each_other_stays_owner(court: Court) -> None:
    for _ in range(ROUNDS):
        group, body = await court.group(), {"role": "member"}

        statuses = await at_once(
            court.client.patch(member(group, court.guinevere), json=body, headers=court.as_arthur),
            court.client.patch(member(group, court.arthur), json=body, headers=court.as_guinevere),
        )

        assert sorted(statuses) == [200, 403]  # the second one is no owner any more
        assert await owners(court, group) == 1
        await court.drop(group)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"], ids=["deactivated", "deleted"])
async def test_owner_cannot_leave_while_the_other_owner_is(court: Court, method: str) -> None:
    for _ in range(ROUNDS):
        other, _ = await court.extra()
        group = await court.group({other: Role.OWNER})
        body = {"is_active": False} if method == "PATCH" else None

        statuses = await at_once(
            court.client.delete(member(group, court.arthur), headers=court.as_arthur),
            court.client.request(method, f"/users/{other.id}", json=body, headers=court.as_morgana),
        )

        assert statuses in ([204, 409], [409, 200], [409, 204])
        assert await owners(court, group) == 1
        await court.drop(group)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"], ids=["deactivated", "deleted"])
async def test_group_keeps_an_owner_while_the_new_owner_is(court: Court, method: str) -> None:
    for _ in range(ROUNDS):
        heir, _ = await court.extra()
        group = await court.group({heir: Role.MEMBER})
        body, to = {"is_active": False} if method == "PATCH" else None, {"user_id": str(heir.id)}

        statuses = await at_once(
            court.client.post(f"/user-groups/{group.id}/transfer", json=to, headers=court.as_arthur),
            court.client.request(method, f"/users/{heir.id}", json=body, headers=court.as_morgana),
        )

        assert statuses in ([200, 409], [409, 200], [404, 204])
        assert await owners(court, group) == 1
        await court.drop(group)


async def test_admin_cannot_remove_a_member_who_is_promoted_concurrently(court: Court) -> None:
    """An admin cannot remove an owner: either the removal comes first, or it is refused."""
    admin, as_admin = await court.extra()
    for _ in range(ROUNDS):
        group = await court.group({admin: Role.ADMIN, court.guinevere: Role.ADMIN})
        path = member(group, court.guinevere)

        statuses = await at_once(
            court.client.delete(path, headers=as_admin),
            court.client.patch(path, json={"role": "owner"}, headers=court.as_arthur),
        )

        assert statuses in ([204, 404], [403, 200])
        assert await owners(court, group) == {204: 1, 403: 2}[statuses[0]]
        await court.drop(group)


async def test_user_can_be_added_while_being_deleted(court: Court) -> None:
    for _ in range(ROUNDS):
        group, (user, _) = await court.group(), await court.extra()

        statuses = await at_once(
            court.client.put(member(group, user), json={"role": "member"}, headers=court.as_morgana),
            court.client.delete(f"/users/{user.id}", headers=court.as_morgana),
        )

        assert statuses in ([201, 204], [404, 204])
        await court.drop(group)


async def test_group_can_be_deleted_while_a_member_is_added(court: Court) -> None:
    for _ in range(ROUNDS):
        group = await court.group()

        statuses = await at_once(
            court.client.put(member(group, court.morgana), json={"role": "member"}, headers=court.as_morgana),
            court.client.delete(f"/user-groups/{group.id}", headers=court.as_arthur),
        )

        assert statuses in ([201, 204], [404, 204])


@pytest.mark.parametrize("act", ["deactivated", "deleted"])
async def test_group_cannot_be_created_by_a_user_who_is_concurrently(court: Court, act: str) -> None:
    """The request has to wait for the transaction that deactivates or deletes the user."""
    user, headers = await court.extra()
    async with transaction(court.world.sessionmaker) as db:
        manager = court.world.users(db)
        stored = await manager.get(user.id)
        if act == "deactivated":
            await manager.update(SuperuserUpdate(is_active=False), stored)
        else:
            await manager.delete(stored)
        making = asyncio.ensure_future(court.client.post("/user-groups", json={"name": "Mine"}, headers=headers))
        await lock_wait(court.world)
    answer = await making

    assert (answer.status_code, answer.json()["detail"]) == (404, "USER_NOT_FOUND")


async def lock_wait(world: World) -> None:
    """Return when a connection to this test's database waits for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

    async def waits() -> bool:
        # A new transaction for each look: PostgreSQL shows one transaction the same list of connections throughout.
        async with transaction(world.sessionmaker) as db:
            return bool((await (await db.connection()).exec_driver_sql(query)).scalar())

    await eventually("a request waits for a lock", waits)


async def test_users_can_be_deleted_while_their_roles_change(court: Court) -> None:
    """They share two groups. Every change locks groups in the same order, so there is no deadlock."""
    for _ in range(ROUNDS):
        (one, as_one), (two, as_two) = await court.extra(), await court.extra()
        first, second = [await court.group({one: Role.ADMIN, two: Role.ADMIN}) for _ in range(2)]
        body = {"role": "member"}

        statuses = await at_once(
            court.client.delete(f"/users/{one.id}", headers=court.as_morgana),
            court.client.delete(f"/users/{two.id}", headers=court.as_morgana),
            court.client.patch(member(first, one), json=body, headers=as_two),
            court.client.patch(member(second, two), json=body, headers=as_one),
            court.client.patch(member(second, one), json={"role": "owner"}, headers=court.as_arthur),
            court.client.delete(member(first, two), headers=court.as_arthur),
        )

        assert set(statuses) <= {200, 204, 401, 403, 404}
        assert statuses[:2] == [204, 204]


async def test_member_count_is_right_after_many_concurrent_changes(court: Court) -> None:
    users = [(await court.extra())[0] for _ in range(6)]
    groups = [await court.group() for _ in range(3)]
    draw = random.Random(1)  # noqa: S311  # to be repeatable

    def change() -> Any:
        path = member(draw.choice(groups), draw.choice(users))
        method = draw.choice(["PUT", "PUT", "PATCH", "DELETE"])
        body = None if method == "DELETE" else {"role": draw.choice(["member", "admin"])}
        return court.client.request(method, path, json=body, headers=court.as_morgana)

    statuses = []
    for _ in range(10):
        statuses += await at_once(*(change() for _ in range(20)), leave(court))

    assert set(statuses) == {200, 201, 204, 404}
    async with transaction(court.world.sessionmaker) as db:
        counted = select(func.count()).where(col(Membership.group_id) == UserGroup.id).scalar_subquery()
        counts = (await db.exec(select(UserGroup.member_count, counted))).all()
    assert len(counts) == 3
    assert all(stored == actual for stored, actual in counts)


async def leave(court: Court) -> Response:
    """Create a user who joins all groups and is deleted, which changes the counts of all of them at once."""
    user = await court.world.user(f"guest-{random.getrandbits(64)}")
    groups = (await court.client.get("/user-groups?limit=3", headers=court.as_morgana)).json()
    for group in groups:
        path = f"/user-groups/{group['id']}/users/{user.id}"
        await court.client.put(path, json={"role": "member"}, headers=court.as_morgana)
    return await court.client.delete(f"/users/{user.id}", headers=court.as_morgana)
