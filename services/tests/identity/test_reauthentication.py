"""Whoever has a session may not be its user: passwords, addresses and accounts need a proof."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from sqlmodel import col, select

from accounts.db.session import transaction
from accounts.domain.identity.reauthentication import reauthenticate
from accounts.models import Role, User, UserSession
from accounts.schemas.identity.users import UserUpdate
from support.people import PASSWORD, World

NEW_PASSWORD = "a-sword-in-a-stone"
CHANGES = [
    ("PATCH", {"password": NEW_PASSWORD}),
    ("PATCH", {"email": "rex@camelot.example.com"}),
    ("DELETE", {}),
]
DONE = {"PATCH": 200, "DELETE": 204}


async def ask(world: World, method: str, body: dict[str, Any], headers: dict[str, str], path: str = "me") -> Response:
    return await world.client.request(method, f"/users/{path}", json=body or None, headers=headers)


async def sign_in_long_ago(world: World, user: User) -> dict[str, str]:
    headers = await world.sign_in(user)
    await world.sql("UPDATE user_session SET authenticated_at = now() - interval '601 seconds'")
    return headers


@pytest.mark.parametrize(("method", "body"), CHANGES)
class TestProof:
    async def test_a_recent_sign_in_is_one(self, world: World, method: str, body: dict[str, Any]) -> None:
        headers = await world.sign_in(await world.user("arthur"))

        assert (await ask(world, method, body, headers)).status_code == DONE[method]

    async def test_an_old_sign_in_is_none(self, world: World, method: str, body: dict[str, Any]) -> None:
        headers = await sign_in_long_ago(world, await world.user("arthur"))

        response = await ask(world, method, body, headers)

        assert (response.status_code, response.json()["detail"]) == (403, "REAUTHENTICATION_REQUIRED")
        assert response.headers["WWW-Authenticate"] == (
            'Bearer error="insufficient_user_authentication", max_age="600"'
        )
        assert (await world.login("arthur@camelot.example.com")).status_code == 200

    async def test_the_current_password_is_one(self, world: World, method: str, body: dict[str, Any]) -> None:
        headers = await sign_in_long_ago(world, await world.user("arthur"))

        response = await ask(world, method, body | {"current_password": PASSWORD}, headers)

        assert response.status_code == DONE[method]

    async def test_another_password_is_none_however_recent_the_sign_in(
        self, world: World, method: str, body: dict[str, Any]
    ) -> None:
        headers = await world.sign_in(await world.user("arthur"))

        response = await ask(world, method, body | {"current_password": "not-the-password"}, headers)

        assert (response.status_code, response.json()["detail"]) == (400, "BAD_CURRENT_PASSWORD")
        assert (await world.login("arthur@camelot.example.com")).status_code == 200

    async def test_guessing_it_is_throttled(self, world: World, method: str, body: dict[str, Any]) -> None:
        world.state["settings"] = world.state["settings"].model_copy(update={"throttle_scale": 1})
        headers = await sign_in_long_ago(world, await world.user("arthur"))
        guess = body | {"current_password": "not-the-password"}

        statuses = [(await ask(world, method, guess, headers)).status_code for _ in range(6)]

        assert statuses == [400] * 5 + [429]

    async def test_superusers_need_it_for_themselves_only(
        self, world: World, method: str, body: dict[str, Any]
    ) -> None:
        arthur, morgana = await world.user("arthur"), await world.user("morgana", superuser=True)
        headers = await sign_in_long_ago(world, morgana)

        assert (await ask(world, method, body, headers, str(arthur.id))).status_code == DONE[method]
        assert (await ask(world, method, body, headers, str(morgana.id))).status_code == 403

    async def test_it_is_worth_nothing_when_the_password_is_reset_meanwhile(
        self, busy_world: World, monkeypatch: pytest.MonkeyPatch, method: str, body: dict[str, Any]
    ) -> None:
        """A thief's request that was on its way does not undo what the owner did against it."""
        arthur = await busy_world.user("arthur")
        headers = await busy_world.sign_in(arthur)
        verify = busy_world.passwords.verify

        async def verify_and_lose(password: str, hashed: str | None) -> tuple[bool, str | None]:
            answer = await verify(password, hashed)
            async with transaction(busy_world.sessionmaker) as db:
                manager = busy_world.users(db)
                await manager.update(UserUpdate(password=NEW_PASSWORD), await manager.get(arthur.id))
            return answer

        with monkeypatch.context() as losing:
            losing.setattr(busy_world.passwords, "verify", verify_and_lose)
            response = await ask(busy_world, method, body | {"current_password": PASSWORD}, headers)

        assert (response.status_code, response.json()["detail"]) == (403, "REAUTHENTICATION_REQUIRED")
        assert (await busy_world.login(arthur, NEW_PASSWORD)).status_code == 200


@pytest.mark.parametrize("body", [{"display_name": "Rex"}, {"email": "arthur@camelot.example.com"}])
async def test_other_changes_need_none(world: World, body: dict[str, str]) -> None:
    headers = await sign_in_long_ago(world, await world.user("arthur"))

    assert (await ask(world, "PATCH", body, headers)).status_code == 200


async def test_how_recent_a_sign_in_is_comes_from_the_settings(world: World) -> None:
    headers = await sign_in_long_ago(world, await world.user("arthur"))
    world.state["settings"] = world.state["settings"].model_copy(update={"recent_seconds": 1000})

    assert (await ask(world, "DELETE", {}, headers)).status_code == 204


async def test_no_connection_is_held_while_the_password_is_compared(
    busy_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = await busy_world.sign_in(await busy_world.user("arthur"))
    held = busy_world.connections_held_at(monkeypatch, "verify")

    for method in ("PATCH", "DELETE"):
        body = {"current_password": PASSWORD, "email": "rex@camelot.example.com"}
        assert (await ask(busy_world, method, body, headers)).is_success

    assert held == [0, 0]


async def test_nor_by_those_who_count_no_attempts(busy_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await busy_world.sign_in(await busy_world.user("arthur"))
    held = busy_world.connections_held_at(monkeypatch, "verify")

    async with transaction(busy_world.sessionmaker) as db:
        arthur, current = (await db.exec(select(User, UserSession).where(col(UserSession.user_id) == User.id))).one()
        await reauthenticate(db, busy_world.passwords, arthur, current, PASSWORD, timedelta())

    assert held == [0]


class TestOtherSessions:
    async def test_end_with_what_they_rest_on(self, client: AsyncClient, world: World) -> None:
        arthur, guinevere = await world.user("arthur"), await world.user("guinevere")
        here, elsewhere, other = [await world.sign_in(user) for user in (arthur, arthur, guinevere)]

        await ask(world, "PATCH", {"password": NEW_PASSWORD}, here)

        assert [(await client.get("/users/me", headers=each)).status_code for each in (here, elsewhere, other)] == [
            200, 401, 200,
        ]  # fmt: skip

    @pytest.mark.parametrize("body", [{"display_name": "Rex"}, {"email": "rex@camelot.example.com"}])
    async def test_outlast_other_changes(self, client: AsyncClient, world: World, body: dict[str, str]) -> None:
        arthur = await world.user("arthur")
        here, elsewhere = [await world.sign_in(arthur) for _ in range(2)]

        await ask(world, "PATCH", body, here)

        assert (await client.get("/users/me", headers=elsewhere)).status_code == 200

    async def test_all_end_with_a_reset(self, client: AsyncClient, world: World) -> None:
        arthur = await world.user("arthur")
        headers = await world.sign_in(arthur)
        await client.post("/auth/forgot-password", json={"email": arthur.email})

        await client.post("/auth/reset-password", json={"token": (await world.token()), "password": NEW_PASSWORD})

        assert (await client.get("/users/me", headers=headers)).status_code == 401

    @pytest.mark.parametrize("body", [{"password": NEW_PASSWORD}, {"is_active": False}])
    async def test_all_end_when_a_superuser_intervenes(
        self, client: AsyncClient, world: World, body: dict[str, Any]
    ) -> None:
        arthur = await world.user("arthur")
        theirs, admin = await world.sign_in(arthur), await world.sign_in(await world.user("morgana", superuser=True))

        await ask(world, "PATCH", body, admin, str(arthur.id))
        await ask(world, "PATCH", {"is_active": True}, admin, str(arthur.id))

        assert (await client.get("/users/me", headers=theirs)).status_code == 401
        assert (await client.get("/users/me", headers=admin)).status_code == 200

    async def test_all_end_when_superusers_deactivate_themselves(self, client: AsyncClient, world: World) -> None:
        morgana, merlin = [await world.user(name, superuser=True) for name in ("morgana", "merlin")]
        theirs, admin = await world.sign_in(morgana), await world.sign_in(merlin)

        await ask(world, "PATCH", {"is_active": False}, theirs, str(morgana.id))
        await ask(world, "PATCH", {"is_active": True}, admin, str(morgana.id))

        assert (await client.get("/users/me", headers=theirs)).status_code == 401

    async def test_a_refused_change_ends_none(self, client: AsyncClient, world: World) -> None:
        arthur = await world.user("arthur")
        here, elsewhere = [await world.sign_in(arthur) for _ in range(2)]

        await ask(world, "PATCH", {"password": "short"}, here)

        assert (await client.get("/users/me", headers=elsewhere)).status_code == 200


class TestLeaving:
    async def test_ends_the_memberships_and_the_sign_in(self, client: AsyncClient, world: World) -> None:
        arthur = await world.user("arthur")
        group = await world.group("Round Table", members={arthur: Role.ADMIN})
        headers = await world.sign_in(arthur)

        assert (await ask(world, "DELETE", {}, headers)).status_code == 204

        assert (await client.get(f"/user-groups/{group.id}/users")).json() == []
        assert (await client.get("/users/me", headers=headers)).status_code == 401
        assert (await world.login(arthur)).status_code == 400

    async def test_is_not_for_the_last_superuser(self, world: World) -> None:
        headers = await world.sign_in(await world.user("morgana", superuser=True))

        response = await ask(world, "DELETE", {}, headers)

        assert (response.status_code, response.json()["detail"]) == (409, "LAST_SUPERUSER")

    async def test_one_of_two_superusers_who_leave_at_once_stays(self, busy_world: World) -> None:
        tickets = [
            await busy_world.sign_in(await busy_world.user(name, superuser=True)) for name in ("morgana", "merlin")
        ]

        responses = await asyncio.gather(*(ask(busy_world, "DELETE", {}, headers) for headers in tickets))

        assert sorted(response.status_code for response in responses) == [204, 409]

    async def test_strangers_cannot(self, client: AsyncClient) -> None:
        assert (await client.delete("/users/me")).status_code == 401
