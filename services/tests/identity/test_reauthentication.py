"""Step-up authentication: changing credentials or deleting the account needs the password or a recent sign-in."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from httpx2 import AsyncClient, Response
from sqlmodel import select

from accounts.db.session import transaction
from accounts.domain.errors import ReauthenticationRequired
from accounts.domain.identity.reauthentication import Reauthentication
from accounts.models import Role, SessionKind, User, UserSession
from accounts.schemas.identity.users import UserUpdate
from support.people import PASSWORD, World

NEW_PASSWORD = "a-sword-in-a-stone"
CHANGES = [
    ("PATCH", {"password": NEW_PASSWORD}),
    ("PATCH", {"email": "rex@camelot.example.com"}),
    ("DELETE", {}),
]
SUCCESS = {"PATCH": 200, "DELETE": 204}


async def send(world: World, method: str, body: dict[str, Any], headers: dict[str, str], path: str = "me") -> Response:
    return await world.client.request(method, f"/users/{path}", json=body or None, headers=headers)


async def sign_in_long_ago(world: World, user: User) -> dict[str, str]:
    headers = await world.sign_in(user)
    await world.sql("UPDATE user_session SET authenticated_at = now() - interval '601 seconds'")
    return headers


@pytest.mark.parametrize(("method", "body"), CHANGES)
class TestReauthentication:
    async def test_recent_sign_in_allows_the_change(self, world: World, method: str, body: dict[str, Any]) -> None:
        headers = await world.sign_in(await world.user("arthur"))

        assert (await send(world, method, body, headers)).status_code == SUCCESS[method]

    async def test_old_sign_in_requires_reauthentication(self, world: World, method: str, body: dict[str, Any]) -> None:
        headers = await sign_in_long_ago(world, await world.user("arthur"))

        response = await send(world, method, body, headers)

        assert (response.status_code, response.json()["detail"]) == (403, "REAUTHENTICATION_REQUIRED")
        assert response.headers["WWW-Authenticate"] == (
            'Bearer error="insufficient_user_authentication", max_age="600"'
        )
        assert (await world.login("arthur@camelot.example.com")).status_code == 200

    async def test_sign_in_before_the_clock_was_set_back_requires_reauthentication(
        self, world: World, method: str, body: dict[str, Any]
    ) -> None:
        headers = await world.sign_in(await world.user("arthur"))
        await world.sql("UPDATE user_session SET authenticated_at = now() + interval '1 hour'")

        assert (await send(world, method, body, headers)).status_code == 403

    async def test_current_password_allows_the_change_after_an_old_sign_in(
        self, world: World, method: str, body: dict[str, Any]
    ) -> None:
        headers = await sign_in_long_ago(world, await world.user("arthur"))

        response = await send(world, method, body | {"current_password": PASSWORD}, headers)

        assert response.status_code == SUCCESS[method]

    async def test_wrong_current_password_is_refused_even_after_a_recent_sign_in(
        self, world: World, method: str, body: dict[str, Any]
    ) -> None:
        headers = await world.sign_in(await world.user("arthur"))

        response = await send(world, method, body | {"current_password": "not-the-password"}, headers)

        assert (response.status_code, response.json()["detail"]) == (400, "BAD_CURRENT_PASSWORD")
        assert (await world.login("arthur@camelot.example.com")).status_code == 200

    async def test_guesses_of_the_current_password_are_rate_limited(
        self, world: World, method: str, body: dict[str, Any]
    ) -> None:
        world.change_settings(throttle_scale=1)
        headers = await sign_in_long_ago(world, await world.user("arthur"))
        guess = body | {"current_password": "not-the-password"}

        statuses = [(await send(world, method, guess, headers)).status_code for _ in range(6)]

        assert statuses == [400] * 5 + [429]

    async def test_change_is_refused_if_the_password_is_reset_concurrently(
        self, busy_world: World, monkeypatch: pytest.MonkeyPatch, method: str, body: dict[str, Any]
    ) -> None:
        """An attacker's request in flight does not undo the owner's reset."""
        arthur = await busy_world.user("arthur")
        headers = await busy_world.sign_in(arthur)
        verify = busy_world.passwords.verify

        async def verify_during_reset(password: str, hashed: str | None) -> tuple[bool, str | None]:
            result = await verify(password, hashed)
            async with transaction(busy_world.sessionmaker) as db:
                manager = busy_world.users(db)
                await manager.update(UserUpdate(password=NEW_PASSWORD), await manager.get(arthur.id))
            return result

        with monkeypatch.context() as patch:
            patch.setattr(busy_world.passwords, "verify", verify_during_reset)
            response = await send(busy_world, method, body | {"current_password": PASSWORD}, headers)

        assert (response.status_code, response.json()["detail"]) == (403, "REAUTHENTICATION_REQUIRED")
        assert (await busy_world.login(arthur, NEW_PASSWORD)).status_code == 200


@pytest.mark.parametrize("body", [{"display_name": "Rex"}, {"email": "arthur@camelot.example.com"}])
async def test_change_of_other_fields_needs_no_reauthentication(world: World, body: dict[str, str]) -> None:
    headers = await sign_in_long_ago(world, await world.user("arthur"))

    assert (await send(world, "PATCH", body, headers)).status_code == 200


async def test_setting_decides_how_recent_a_sign_in_must_be(world: World) -> None:
    headers = await sign_in_long_ago(world, await world.user("arthur"))
    world.change_settings(recent_seconds=1000)

    assert (await send(world, "DELETE", {}, headers)).status_code == 204


async def test_routes_hold_no_connection_while_verifying_the_password(
    busy_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = await busy_world.sign_in(await busy_world.user("arthur"))
    held = busy_world.connections_held_at(monkeypatch, "verify")

    for method in ("PATCH", "DELETE"):
        body = {"current_password": PASSWORD, "email": "rex@camelot.example.com"}
        assert (await send(busy_world, method, body, headers)).is_success

    assert held == [0, 0]


async def test_reauthenticate_releases_the_connection_before_verifying_the_password(
    busy_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await busy_world.sign_in(await busy_world.user("arthur"))
    held = busy_world.connections_held_at(monkeypatch, "verify")

    async with transaction(busy_world.sessionmaker) as db:
        current = (await db.exec(select(UserSession))).one()
        await Reauthentication(db, busy_world.passwords, timedelta(), current).verify(PASSWORD)

    assert held == [0]


async def test_session_of_a_deleted_caller_requires_reauthentication(world: World) -> None:
    session = UserSession(user_id=uuid4(), kind=SessionKind.BEARER, token_hash=b"", expires_at=datetime.now(UTC))
    async with transaction(world.sessionmaker) as db:
        with pytest.raises(ReauthenticationRequired):
            await Reauthentication(db, world.passwords, timedelta(1), session).verify(PASSWORD)


class TestOtherSessions:
    async def test_new_password_ends_all_other_sessions_of_the_user(self, client: AsyncClient, world: World) -> None:
        arthur, guinevere = await world.user("arthur"), await world.user("guinevere")
        here, elsewhere, other = [await world.sign_in(user) for user in (arthur, arthur, guinevere)]

        await send(world, "PATCH", {"password": NEW_PASSWORD}, here)

        assert [(await client.get("/users/me", headers=each)).status_code for each in (here, elsewhere, other)] == [
            200, 401, 200,
        ]  # fmt: skip

    @pytest.mark.parametrize("body", [{"display_name": "Rex"}, {"email": "rex@camelot.example.com"}])
    async def test_other_changes_end_no_sessions(self, client: AsyncClient, world: World, body: dict[str, str]) -> None:
        arthur = await world.user("arthur")
        here, elsewhere = [await world.sign_in(arthur) for _ in range(2)]

        await send(world, "PATCH", body, here)

        assert (await client.get("/users/me", headers=elsewhere)).status_code == 200

    async def test_password_reset_ends_all_sessions(self, client: AsyncClient, world: World) -> None:
        arthur = await world.user("arthur")
        headers = await world.sign_in(arthur)
        await client.post("/auth/forgot-password", json={"email": arthur.email})

        await client.post("/auth/reset-password", json={"token": (await world.token()), "password": NEW_PASSWORD})

        assert (await client.get("/users/me", headers=headers)).status_code == 401

    @pytest.mark.parametrize("body", [{"password": NEW_PASSWORD}, {"is_active": False}])
    async def test_password_change_or_deactivation_by_a_superuser_ends_all_sessions(
        self, client: AsyncClient, world: World, body: dict[str, Any]
    ) -> None:
        arthur = await world.user("arthur")
        headers, admin = await world.sign_in(arthur), await world.sign_in(await world.user("morgana", superuser=True))

        await send(world, "PATCH", body, admin, str(arthur.id))
        await send(world, "PATCH", {"is_active": True}, admin, str(arthur.id))

        assert (await client.get("/users/me", headers=headers)).status_code == 401
        assert (await client.get("/users/me", headers=admin)).status_code == 200

    async def test_superuser_who_deactivates_the_own_account_is_signed_out(
        self, client: AsyncClient, world: World
    ) -> None:
        morgana, merlin = [await world.user(name, superuser=True) for name in ("morgana", "merlin")]
        headers, admin = await world.sign_in(morgana), await world.sign_in(merlin)

        await send(world, "PATCH", {"is_active": False}, headers, str(morgana.id))
        await send(world, "PATCH", {"is_active": True}, admin, str(morgana.id))

        assert (await client.get("/users/me", headers=headers)).status_code == 401

    async def test_refused_change_ends_no_sessions(self, client: AsyncClient, world: World) -> None:
        arthur = await world.user("arthur")
        here, elsewhere = [await world.sign_in(arthur) for _ in range(2)]

        await send(world, "PATCH", {"password": "short"}, here)

        assert (await client.get("/users/me", headers=elsewhere)).status_code == 200


class TestDeleteAccount:
    async def test_deleted_account_loses_memberships_and_sessions(self, client: AsyncClient, world: World) -> None:
        arthur = await world.user("arthur")
        group = await world.group("Round Table", members={arthur: Role.ADMIN})
        headers = await world.sign_in(arthur)

        assert (await send(world, "DELETE", {}, headers)).status_code == 204

        assert (await client.get(f"/user-groups/{group.id}/users")).json() == []
        assert (await client.get("/users/me", headers=headers)).status_code == 401
        assert (await world.login(arthur)).status_code == 400

    async def test_last_superuser_cannot_delete_the_own_account(self, world: World) -> None:
        headers = await world.sign_in(await world.user("morgana", superuser=True))

        response = await send(world, "DELETE", {}, headers)

        assert (response.status_code, response.json()["detail"]) == (409, "LAST_SUPERUSER")

    async def test_one_of_two_superusers_who_delete_themselves_at_once_stays(self, busy_world: World) -> None:
        tickets = [
            await busy_world.sign_in(await busy_world.user(name, superuser=True)) for name in ("morgana", "merlin")
        ]

        responses = await asyncio.gather(*(send(busy_world, "DELETE", {}, headers) for headers in tickets))

        assert sorted(response.status_code for response in responses) == [204, 409]

    async def test_deleting_the_account_requires_authentication(self, client: AsyncClient) -> None:
        assert (await client.delete("/users/me")).status_code == 401
