"""A group begins to require a second factor while a weaker session changes it: as one after the other."""

import asyncio
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import update
from sqlmodel import col, select

from accounts.db.session import transaction
from accounts.models import Membership, Role, User, UserGroup, Visibility
from support.people import World
from support.waiting import wait_for_lock

pytestmark = pytest.mark.slow
ROUNDS = 10
WRITES: dict[str, tuple[str, str, Any]] = {
    "change a role": ("PATCH", "/users/{bors}", {"role": "admin"}),
    "set a role": ("PUT", "/users/{bors}", {"role": "admin"}),
    "remove a member": ("DELETE", "/users/{bors}", None),
    "transfer": ("POST", "/transfer", {"user_id": "{bors}"}),
    "invite": ("POST", "/invitations", {"email": "elaine@example.com"}),
    "rename": ("PATCH", "", {"name": "Square Table"}),
    "create a service account": ("POST", "/service-accounts", {"name": "Squire"}),
    "delete": ("DELETE", "", None),
}


class Races:
    """Arthur, an owner with a second factor, and Lancelot, an owner in a session without one."""

    def __init__(self, world: World, group: UserGroup, people: dict[str, User], lancelot: dict[str, str]) -> None:
        self.world, self.group, self.lancelot = world, group, lancelot
        self.arthur, self.bors = people["arthur"], people["bors"]

    async def ask(self, method: str, path: str, json: Any, headers: dict[str, str]) -> Response:
        body = {name: value.format(bors=self.bors.id) for name, value in json.items()} if json else None
        url = f"/user-groups/{self.group.id}{path.format(bors=self.bors.id)}"
        return await self.world.client.request(method, url, json=body, headers=headers)

    async def role(self) -> Role:
        async with transaction(self.world.sessionmaker) as db:
            return Role((await db.exec(select(Membership.role).where(col(Membership.user_id) == self.bors.id))).one())


@pytest.fixture
async def races(busy_world: World) -> Races:
    people = {name: await busy_world.user(name, is_verified=True) for name in ("arthur", "lancelot", "bors")}
    roles = {"arthur": Role.OWNER, "lancelot": Role.OWNER, "bors": Role.MEMBER}
    members = {people[name]: role for name, role in roles.items()}
    group = await busy_world.group("Round Table", Visibility.PRIVATE, members=members)
    return Races(busy_world, group, people, await busy_world.sign_in(people["lancelot"]))


@pytest.mark.parametrize("write", WRITES)
async def test_write_that_waits_for_the_new_requirement_is_refused(races: Races, write: str) -> None:
    async with transaction(races.world.sessionmaker) as db:
        await db.exec(update(UserGroup).where(col(UserGroup.id) == races.group.id).values(required_aal=2))
        waiting = asyncio.create_task(races.ask(*WRITES[write], races.lancelot))
        await wait_for_lock(races.world)

    response = await waiting

    assert (response.status_code, response.json()["detail"]) == (403, "ASSURANCE_REQUIRED")
    assert await races.role() is Role.MEMBER


async def test_role_changes_if_and_only_if_the_answer_says_so(races: Races) -> None:
    arthur = await races.world.sign_in(races.arthur)
    await races.world.raise_level(races.arthur)
    group = f"/user-groups/{races.group.id}"
    for _ in range(ROUNDS):
        await races.world.sql("UPDATE membership SET role = 'member' WHERE role = 'admin'")

        raised, changed = await asyncio.gather(
            races.world.client.patch(group, json={"required_aal": 2}, headers=arthur),
            races.ask("PATCH", "/users/{bors}", {"role": "admin"}, races.lancelot),
        )

        assert raised.status_code == 200
        assert changed.status_code in {200, 403}
        assert (await races.role() is Role.ADMIN) == changed.is_success
        await races.world.client.patch(group, json={"required_aal": 1}, headers=arthur)
