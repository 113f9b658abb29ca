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
from support.waiting import wait_for_lock

pytestmark = pytest.mark.slow
ROUNDS = 10


class RaceWorld:
    """Two owners of groups and a superuser, each with the headers of a sign-in."""

    def __init__(self, world: World, people: list[User], sign_ins: list[dict[str, str]]) -> None:
        self.world, self.client = world, world.client
        self.arthur, self.guinevere, self.morgana = people
        self.as_arthur, self.as_guinevere, self.as_morgana = sign_ins

    async def group(self, members: dict[User, Role] | None = None) -> UserGroup:
        """Create a group of Arthur and others, by default with Guinevere as a second owner."""
        others = members or {self.guinevere: Role.OWNER}
        return await self.world.group("Shared", Visibility.PRIVATE, members={self.arthur: Role.OWNER, **others})

    async def new_user(self) -> tuple[User, dict[str, str]]:
        """Create a user who may be deactivated or deleted, and sign in."""
        user = await self.world.user(f"extra-{random.getrandbits(64)}")
        return user, await self.world.sign_in(user)

    async def drop(self, group: UserGroup) -> None:
        await self.client.delete(f"/user-groups/{group.id}", headers=self.as_morgana)


@pytest.fixture
async def races(busy_world: World) -> RaceWorld:
    people = [await busy_world.user(name, superuser=name == "morgana") for name in ("arthur", "guinevere", "morgana")]
    return RaceWorld(busy_world, people, [await busy_world.sign_in(person) for person in people])


async def at_once(*requests: Awaitable[Response]) -> list[int]:
    return [response.status_code for response in await asyncio.gather(*requests)]


async def owners(races: RaceWorld, group: UserGroup) -> int:
    """Count the active owners."""
    async with transaction(races.world.sessionmaker) as db:
        statement = select(func.count()).select_from(Membership).join(User)
        conditions = (col(Membership.group_id) == group.id, Membership.role == Role.OWNER, col(User.is_active))
        return (await db.exec(statement.where(*conditions))).one()


def member(group: UserGroup, user: User) -> str:
    return f"/user-groups/{group.id}/users/{user.id}"


async def test_request_in_a_deadlock_is_answered_with_503_and_can_be_repeated(races: RaceWorld) -> None:
    """The service locks in one order; a user of psql does not. PostgreSQL ends one of them, with nothing changed."""
    group = await races.group()
    async with transaction(races.world.sessionmaker) as stranger:
        connection = await stranger.connection()
        for statement in (f"SET ROLE {SCHEMA_OWNER}", "SET LOCAL deadlock_timeout = '9s'", "RESET ROLE"):
            await connection.execute(text(statement))
        await stranger.exec(select(UserGroup).where(UserGroup.id == group.id).with_for_update())
        change = partial(
            races.client.patch, member(group, races.guinevere), json={"role": "admin"}, headers=races.as_arthur
        )
        first = asyncio.create_task(change())
        await wait_for_lock(races.world)
        await stranger.exec(select(User).where(col(User.id) == races.guinevere.id).with_for_update())

    assert ((await first).status_code, (await first).headers["Retry-After"]) == (503, "2")
    assert (await change()).json()["role"] == "admin"


async def test_one_of_two_owners_who_leave_concurrently_stays(races: RaceWorld) -> None:
    for _ in range(ROUNDS):
        group = await races.group()

        statuses = await at_once(
            races.client.delete(member(group, races.arthur), headers=races.as_arthur),
            races.client.delete(member(group, races.guinevere), headers=races.as_guinevere),
        )

        assert sorted(statuses) == [204, 409]
        assert await owners(races, group) == 1
        await races.drop(group)


async def test_one_of_two_owners_who_demote_each_other_stays_owner(races: RaceWorld) -> None:
    for _ in range(ROUNDS):
        group, body = await races.group(), {"role": "member"}

        statuses = await at_once(
            races.client.patch(member(group, races.guinevere), json=body, headers=races.as_arthur),
            races.client.patch(member(group, races.arthur), json=body, headers=races.as_guinevere),
        )

        assert sorted(statuses) == [200, 403]  # the second one is no owner any more
        assert await owners(races, group) == 1
        await races.drop(group)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"], ids=["deactivated", "deleted"])
async def test_group_keeps_an_owner_when_one_leaves_and_the_other_is_removed_concurrently(
    races: RaceWorld, method: str
) -> None:
    for _ in range(ROUNDS):
        other, _ = await races.new_user()
        group = await races.group({other: Role.OWNER})
        body = {"is_active": False} if method == "PATCH" else None

        statuses = await at_once(
            races.client.delete(member(group, races.arthur), headers=races.as_arthur),
            races.client.request(method, f"/users/{other.id}", json=body, headers=races.as_morgana),
        )

        assert statuses in ([204, 409], [409, 200], [409, 204])
        assert await owners(races, group) == 1
        await races.drop(group)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"], ids=["deactivated", "deleted"])
async def test_group_keeps_an_owner_if_ownership_goes_to_a_user_who_is_removed_concurrently(
    races: RaceWorld, method: str
) -> None:
    for _ in range(ROUNDS):
        new_owner, _ = await races.new_user()
        group = await races.group({new_owner: Role.MEMBER})
        body, to = {"is_active": False} if method == "PATCH" else None, {"user_id": str(new_owner.id)}

        statuses = await at_once(
            races.client.post(f"/user-groups/{group.id}/transfer", json=to, headers=races.as_arthur),
            races.client.request(method, f"/users/{new_owner.id}", json=body, headers=races.as_morgana),
        )

        assert statuses in ([200, 409], [409, 200], [404, 204])
        assert await owners(races, group) == 1
        await races.drop(group)


async def test_admin_cannot_remove_a_member_who_is_promoted_concurrently(races: RaceWorld) -> None:
    """An admin cannot remove an owner: either the removal comes first, or it is refused."""
    admin, as_admin = await races.new_user()
    for _ in range(ROUNDS):
        group = await races.group({admin: Role.ADMIN, races.guinevere: Role.ADMIN})
        path = member(group, races.guinevere)

        statuses = await at_once(
            races.client.delete(path, headers=as_admin),
            races.client.patch(path, json={"role": "owner"}, headers=races.as_arthur),
        )

        assert statuses in ([204, 404], [403, 200])
        assert await owners(races, group) == {204: 1, 403: 2}[statuses[0]]
        await races.drop(group)


async def test_user_can_be_added_while_being_deleted(races: RaceWorld) -> None:
    for _ in range(ROUNDS):
        group, (user, _) = await races.group(), await races.new_user()

        statuses = await at_once(
            races.client.put(member(group, user), json={"role": "member"}, headers=races.as_morgana),
            races.client.delete(f"/users/{user.id}", headers=races.as_morgana),
        )

        assert statuses in ([201, 204], [404, 204])
        await races.drop(group)


async def test_group_can_be_deleted_while_a_member_is_added(races: RaceWorld) -> None:
    for _ in range(ROUNDS):
        group = await races.group()

        statuses = await at_once(
            races.client.put(member(group, races.morgana), json={"role": "member"}, headers=races.as_morgana),
            races.client.delete(f"/user-groups/{group.id}", headers=races.as_arthur),
        )

        assert statuses in ([201, 204], [404, 204])


@pytest.mark.parametrize("act", ["deactivated", "deleted"])
async def test_user_who_is_removed_concurrently_cannot_create_a_group(races: RaceWorld, act: str) -> None:
    """The request has to wait for the transaction that deactivates or deletes the user."""
    user, headers = await races.new_user()
    async with transaction(races.world.sessionmaker) as db:
        manager = races.world.users(db)
        stored = await manager.get(user.id)
        if act == "deactivated":
            await manager.update(SuperuserUpdate(is_active=False), stored)
        else:
            await manager.delete(stored)
        creation = asyncio.ensure_future(races.client.post("/user-groups", json={"name": "Mine"}, headers=headers))
        await wait_for_lock(races.world)
    response = await creation

    assert (response.status_code, response.json()["detail"]) == (404, "USER_NOT_FOUND")


async def test_users_can_be_deleted_while_their_roles_change(races: RaceWorld) -> None:
    """They share two groups. Every change locks groups in the same order, so there is no deadlock."""
    for _ in range(ROUNDS):
        (one, as_one), (two, as_two) = await races.new_user(), await races.new_user()
        first, second = [await races.group({one: Role.ADMIN, two: Role.ADMIN}) for _ in range(2)]
        body = {"role": "member"}

        statuses = await at_once(
            races.client.delete(f"/users/{one.id}", headers=races.as_morgana),
            races.client.delete(f"/users/{two.id}", headers=races.as_morgana),
            races.client.patch(member(first, one), json=body, headers=as_two),
            races.client.patch(member(second, two), json=body, headers=as_one),
            races.client.patch(member(second, one), json={"role": "owner"}, headers=races.as_arthur),
            races.client.delete(member(first, two), headers=races.as_arthur),
        )

        assert set(statuses) <= {200, 204, 401, 403, 404}
        assert statuses[:2] == [204, 204]


async def test_member_count_is_right_after_many_concurrent_changes(races: RaceWorld) -> None:
    users = [(await races.new_user())[0] for _ in range(6)]
    groups = [await races.group() for _ in range(3)]
    draw = random.Random(1)  # noqa: S311  # to be repeatable

    def change() -> Any:
        path = member(draw.choice(groups), draw.choice(users))
        method = draw.choice(["PUT", "PUT", "PATCH", "DELETE"])
        body = None if method == "DELETE" else {"role": draw.choice(["member", "admin"])}
        return races.client.request(method, path, json=body, headers=races.as_morgana)

    statuses = []
    for _ in range(10):
        statuses += await at_once(*(change() for _ in range(20)), leave(races))

    assert set(statuses) == {200, 201, 204, 404}
    async with transaction(races.world.sessionmaker) as db:
        counted = select(func.count()).where(col(Membership.group_id) == UserGroup.id).scalar_subquery()
        counts = (await db.exec(select(UserGroup.member_count, counted))).all()
    assert len(counts) == 3
    assert all(stored == actual for stored, actual in counts)


async def leave(races: RaceWorld) -> Response:
    """Create a user who joins all groups and is deleted, which changes the counts of all of them at once."""
    user = await races.world.user(f"guest-{random.getrandbits(64)}")
    groups = (await races.client.get("/user-groups?limit=3", headers=races.as_morgana)).json()
    for group in groups:
        path = f"/user-groups/{group['id']}/users/{user.id}"
        await races.client.put(path, json={"role": "member"}, headers=races.as_morgana)
    return await races.client.delete(f"/users/{user.id}", headers=races.as_morgana)
