"""Every group keeps an active owner, however the last one tries to leave."""

import asyncio
from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from pydantic import SecretStr

from accounts.commands import admin, run
from accounts.models import Role, User, Visibility
from accounts.settings import Settings
from support.people import World

WAYS = (
    "leaves",
    "is removed",
    "is demoted",
    "steps down",
    "puts another role",
    "is deactivated",
    "is deleted",
    "deletes",
)


class Owner:
    """Arthur owns two groups alone, and shares a third one with Guinevere."""

    def __init__(self, world: World, people: list[User], ids: list[int], sign_ins: list[dict[str, str]]) -> None:
        self.world, self.client, self.ids = world, world.client, ids
        self.arthur, self.guinevere, self.morgana = people
        self.own, self.hers, self.admin = sign_ins

    async def end(self, way: str, group: int) -> Response:
        """End Arthur's ownership in one of the ways."""
        user, member = f"/users/{self.arthur.id}", f"/user-groups/{group}/users/{self.arthur.id}"
        method, path, body, headers = {
            "leaves": ("DELETE", member, None, self.own),
            "is removed": ("DELETE", member, None, self.admin),
            "is demoted": ("PATCH", member, {"role": "admin"}, self.admin),
            "steps down": ("PATCH", member, {"role": "member"}, self.own),
            "puts another role": ("PUT", member, {"role": "admin"}, self.own),
            "is deactivated": ("PATCH", user, {"is_active": False}, self.admin),
            "is deleted": ("DELETE", user, None, self.admin),
            "deletes": ("DELETE", "/users/me", None, self.own),
        }[way]
        return await self.client.request(method, path, json=body, headers=headers)

    async def role(self, group: int) -> str | None:
        members = (await self.client.get(f"/user-groups/{group}/users", headers=self.admin)).json()
        return next((each["role"] for each in members if each["id"] == str(self.arthur.id)), None)


@pytest.fixture
async def owner(world: World) -> Owner:
    people = [await world.user(name, superuser=name == "morgana") for name in ("arthur", "guinevere", "morgana")]
    alone, shared = {people[0]: Role.OWNER, people[1]: Role.ADMIN}, dict.fromkeys(people[:2], Role.OWNER)
    groups = [
        await world.group("Own group 2", members=alone),
        await world.group("Own group 1", Visibility.PRIVATE, members=alone),
        await world.group("Shared group", Visibility.PRIVATE, members=shared),
    ]
    return Owner(world, people, [group.id for group in groups], [await world.sign_in(each) for each in people])


@pytest.mark.parametrize("way", WAYS)
async def test_last_owner_cannot_leave_or_be_removed(owner: Owner, way: str) -> None:
    own_group, other_own_group, _ = owner.ids

    answer = await owner.end(way, own_group)

    assert (answer.status_code, answer.json()["detail"]) == (409, "LAST_OWNER")
    both = [{"id": other_own_group, "name": "Own group 1"}, {"id": own_group, "name": "Own group 2"}]
    assert answer.json()["groups"] == (both if way in {"is deactivated", "is deleted", "deletes"} else both[1:])
    assert await owner.role(own_group) == "owner"
    assert (await owner.client.get("/users/me", headers=owner.own)).status_code == 200


@pytest.mark.parametrize("way", WAYS[:5])
async def test_owner_can_leave_while_another_active_owner_remains(owner: Owner, way: str) -> None:
    *_, shared_group = owner.ids

    assert (await owner.end(way, shared_group)).is_success
    assert await owner.role(shared_group) != "owner"


@pytest.mark.parametrize("way", WAYS)
async def test_inactive_owner_does_not_count(owner: Owner, way: str) -> None:
    *_, shared_group = owner.ids
    await owner.world.sql("UPDATE \"user\" SET is_active = false WHERE email LIKE 'guinevere%'")

    answer = await owner.end(way, shared_group)

    assert (answer.status_code, answer.json()["detail"]) == (409, "LAST_OWNER")
    assert {"id": shared_group, "name": "Shared group"} in answer.json()["groups"]


async def test_ownership_cannot_be_transferred_to_an_inactive_owner(owner: Owner) -> None:
    *_, shared_group = owner.ids
    await owner.world.sql("UPDATE \"user\" SET is_active = false WHERE email LIKE 'guinevere%'")

    body = {"user_id": str(owner.guinevere.id)}
    answer = await owner.client.post(f"/user-groups/{shared_group}/transfer", json=body, headers=owner.own)

    assert (answer.status_code, answer.json()["detail"]) == (409, "LAST_OWNER")
    assert await owner.role(shared_group) == "owner"


@pytest.mark.parametrize("way", ["is deactivated", "is deleted", "deletes"])
async def test_owner_can_be_deactivated_or_deleted_after_transferring_the_groups(owner: Owner, way: str) -> None:
    own_group, other_own_group, shared_group = owner.ids
    body = {"user_id": str(owner.guinevere.id)}
    assert (await owner.client.post(f"/user-groups/{own_group}/transfer", json=body, headers=owner.own)).is_success
    assert (await owner.client.delete(f"/user-groups/{other_own_group}", headers=owner.own)).is_success

    assert (await owner.end(way, own_group)).is_success

    counts = [
        (await owner.client.get(f"/user-groups/{each}", headers=owner.admin)).json()["member_count"]
        for each in (own_group, shared_group)
    ]
    assert counts == ([2, 2] if way == "is deactivated" else [1, 1])


async def test_admin_command_names_the_blocking_groups(
    busy_world: World, monkeypatch: pytest.MonkeyPatch, fresh_settings: Settings, owned_database: str
) -> None:
    settings = fresh_settings.model_copy(update={"database_url": SecretStr(owned_database)})
    for module in (run, admin):
        monkeypatch.setattr(module, "get_settings", lambda: settings)
    arthur = await busy_world.user("arthur")
    group = await busy_world.group("Round Table", members={arthur: Role.OWNER})

    with pytest.raises(SystemExit, match=rf"^admin: These groups have .*: Round Table \({group.id}\)"):
        await asyncio.to_thread(admin.main, ["deactivate", arthur.email])

    await busy_world.sign_in(arthur)


async def test_error_names_at_most_a_hundred_groups(client: AsyncClient, world: World) -> None:
    arthur = await world.user("arthur")
    headers = await world.sign_in(arthur)
    await world.sql("INSERT INTO user_group (name) SELECT 'Group ' || i FROM generate_series(1, 101) i")
    await world.sql("INSERT INTO membership SELECT g.id, u.id, 'owner' FROM user_group g, \"user\" u")

    answer: dict[str, Any] = (await client.delete("/users/me", headers=headers)).json()

    assert len(answer["groups"]) == 100
