"""Users: the current user, and all users for superusers."""

import asyncio
import uuid

import pytest
from httpx2 import AsyncClient
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from accounts.domain.errors import LastSuperuser, UserNotFound
from accounts.models import Role
from accounts.schemas.identity.users import SuperuserUpdate, UserUpdate
from support.people import PASSWORD, World

UNKNOWN_ID = uuid.UUID("01999999-9999-7999-8999-999999999999")
NEW_PASSWORD = "a-sword-in-a-stone"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/authenticated-route"),
        ("GET", "/users/me"),
        ("PATCH", "/users/me"),
        ("GET", f"/users/{UNKNOWN_ID}"),
        ("PATCH", f"/users/{UNKNOWN_ID}"),
        ("DELETE", f"/users/{UNKNOWN_ID}"),
    ],
)
class TestAuthorization:
    async def test_route_requires_authentication(self, client: AsyncClient, method: str, path: str) -> None:
        response = await client.request(method, path, json={} if method == "PATCH" else None)

        assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")

    async def test_route_refuses_inactive_users(
        self, client: AsyncClient, world: World, method: str, path: str
    ) -> None:
        arthur, morgana = await world.user("arthur"), await world.user("morgana", superuser=True)
        headers, admin = await world.sign_in(arthur), await world.sign_in(morgana)
        await client.patch(f"/users/{arthur.id}", json={"is_active": False}, headers=admin)

        response = await client.request(method, path, json={} if method == "PATCH" else None, headers=headers)

        assert response.status_code == 401

    async def test_route_for_other_users_requires_a_superuser(
        self, client: AsyncClient, world: World, method: str, path: str
    ) -> None:
        headers = await world.sign_in(await world.user("arthur"))

        response = await client.request(method, path, json={} if method == "PATCH" else None, headers=headers)

        assert response.status_code == (403 if str(UNKNOWN_ID) in path else 200)


class TestCurrentUser:
    async def test_user_reads_the_own_account(self, client: AsyncClient, world: World) -> None:
        arthur = await world.user("arthur")
        headers = await world.sign_in(arthur)

        me = (await client.get("/users/me", headers=headers)).json()
        greeting = (await client.get("/authenticated-route", headers=headers)).json()

        assert (me["id"], me["email"], me["display_name"]) == (str(arthur.id), arthur.email, "Arthur")
        assert greeting == {"message": f"Hello {arthur.email}!"}

    async def test_update_changes_only_the_given_fields(self, client: AsyncClient, world: World) -> None:
        headers = await world.sign_in(await world.user("arthur", is_verified=True))
        before = (await client.get("/users/me", headers=headers)).json()

        response = await client.patch("/users/me", json={"display_name": " Arthur, King "}, headers=headers)

        assert response.status_code == 200
        after = response.json()
        assert after == before | {"display_name": "Arthur, King", "updated_at": after["updated_at"]}
        assert (await client.get("/users/me", headers=headers)).json() == after

    async def test_empty_update_changes_nothing(self, client: AsyncClient, world: World) -> None:
        headers = await world.sign_in(await world.user("arthur"))
        before = (await client.get("/users/me", headers=headers)).json()

        assert (await client.patch("/users/me", json={}, headers=headers)).json() == before

    async def test_user_cannot_set_own_flags(self, client: AsyncClient, world: World) -> None:
        headers = await world.sign_in(await world.user("arthur"))

        response = await client.patch("/users/me", json={"is_superuser": True, "is_verified": True}, headers=headers)

        assert (response.json()["is_superuser"], response.json()["is_verified"]) == (False, False)

    @pytest.mark.parametrize("field", ["email", "password", "display_name"])
    async def test_null_is_refused(self, client: AsyncClient, world: World, field: str) -> None:
        headers = await world.sign_in(await world.user("arthur"))

        response = await client.patch("/users/me", json={field: None}, headers=headers)

        assert response.status_code == 422

    async def test_new_password_replaces_the_old_one(self, client: AsyncClient, world: World) -> None:
        arthur = await world.user("arthur")
        headers = await world.sign_in(arthur)

        weak = await client.patch("/users/me", json={"password": "short"}, headers=headers)
        good = await client.patch("/users/me", json={"password": NEW_PASSWORD}, headers=headers)

        assert (weak.status_code, weak.json()["detail"]) == (400, "UPDATE_USER_INVALID_PASSWORD")
        assert good.status_code == 200
        assert (await world.login(arthur, PASSWORD)).status_code == 400
        assert (await world.login(arthur, NEW_PASSWORD)).status_code == 200

    @pytest.mark.parametrize(
        "change",
        [
            {"password": "password1234"},
            {"password": "arthur12345678"},
            {"password": "percival-percival", "email": "percival@camelot.example.com"},
            {"password": "sir.percival1234", "display_name": "Sir Percival"},
        ],
    )
    async def test_easily_guessed_new_password_is_refused(
        self, client: AsyncClient, world: World, change: dict[str, str]
    ) -> None:
        headers = await world.sign_in(await world.user("arthur"))

        response = await client.patch("/users/me", json=change, headers=headers)

        assert (response.status_code, response.json()["detail"]) == (400, "UPDATE_USER_INVALID_PASSWORD")


class TestOtherUsers:
    async def test_superuser_reads_updates_and_deletes_another_user(self, client: AsyncClient, world: World) -> None:
        arthur = await world.user("arthur")
        admin = await world.sign_in(await world.user("morgana", superuser=True))
        path = f"/users/{arthur.id}"

        assert (await client.get(path, headers=admin)).json()["email"] == arthur.email
        changed = await client.patch(path, json={"is_verified": True, "is_superuser": True}, headers=admin)
        assert (changed.json()["is_verified"], changed.json()["is_superuser"]) == (True, True)
        assert (await client.delete(path, headers=admin)).status_code == 204
        assert (await client.get(path, headers=admin)).status_code == 404

    @pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
    async def test_unknown_user_is_not_found(self, client: AsyncClient, world: World, method: str) -> None:
        admin = await world.sign_in(await world.user("morgana", superuser=True))

        response = await client.request(
            method, f"/users/{UNKNOWN_ID}", json={} if method == "PATCH" else None, headers=admin
        )

        assert (response.status_code, response.json()["detail"]) == (404, "USER_NOT_FOUND")

    @pytest.mark.parametrize("value", [None, 0, "false"])
    async def test_flag_must_be_a_boolean(self, client: AsyncClient, world: World, value: object) -> None:
        morgana = await world.user("morgana", superuser=True)

        response = await client.patch(
            f"/users/{morgana.id}", json={"is_verified": value}, headers=await world.sign_in(morgana)
        )

        assert response.status_code == 422

    async def test_deleting_a_user_deletes_the_memberships_and_keeps_the_group(
        self, client: AsyncClient, world: World
    ) -> None:
        arthur, morgana = await world.user("arthur"), await world.user("morgana", superuser=True)
        group = await world.group("Round Table", members={arthur: Role.ADMIN})
        admin = await world.sign_in(morgana)

        assert (await client.delete(f"/users/{arthur.id}", headers=admin)).status_code == 204

        assert (await client.get(f"/user-groups/{group.id}/users")).json() == []

    async def test_deleting_a_user_ends_the_sessions(self, client: AsyncClient, world: World) -> None:
        arthur, morgana = await world.user("arthur"), await world.user("morgana", superuser=True)
        headers = await world.sign_in(arthur)

        await client.delete(f"/users/{arthur.id}", headers=await world.sign_in(morgana))

        assert (await client.get("/users/me", headers=headers)).status_code == 401


class TestLastSuperuser:
    @pytest.mark.parametrize("change", [{"is_superuser": False}, {"is_active": False}, None])
    async def test_last_superuser_cannot_be_demoted_deactivated_or_deleted(
        self, client: AsyncClient, world: World, change: dict[str, bool] | None
    ) -> None:
        morgana = await world.user("morgana", superuser=True)
        await world.user("merlin", superuser=True, is_active=False)
        admin = await world.sign_in(morgana)
        path = f"/users/{morgana.id}"

        response = await (
            client.patch(path, json=change, headers=admin) if change else client.delete(path, headers=admin)
        )

        assert (response.status_code, response.json()["detail"]) == (409, "LAST_SUPERUSER")

    async def test_only_one_of_two_superusers_who_demote_each_other_succeeds(self, busy_world: World) -> None:
        morgana, merlin = [await busy_world.user(name, superuser=True) for name in ("morgana", "merlin")]
        requests = [(merlin, await busy_world.sign_in(morgana)), (morgana, await busy_world.sign_in(merlin))]

        responses = await asyncio.gather(
            *(
                busy_world.client.patch(f"/users/{other.id}", json={"is_superuser": False}, headers=headers)
                for other, headers in requests
            )
        )

        assert sorted(response.status_code for response in responses) in ([200, 403], [200, 409])

    async def test_only_one_of_concurrent_deletions_succeeds(self, busy_world: World) -> None:
        arthur = await busy_world.user("arthur")
        admin = await busy_world.sign_in(await busy_world.user("morgana", superuser=True))

        responses = await asyncio.gather(
            *(busy_world.client.delete(f"/users/{arthur.id}", headers=admin) for _ in range(5))
        )

        assert sorted(response.status_code for response in responses) == [204] + [404] * 4


async def test_violation_of_another_constraint_is_not_reported_as_a_taken_email(world: World) -> None:
    await world.sql("ALTER TABLE \"user\" ADD CONSTRAINT other CHECK (display_name <> 'Other')")

    with pytest.raises(IntegrityError):
        await world.user("other")


async def test_update_of_a_concurrently_deleted_user_raises_user_not_found(world: World) -> None:
    arthur = await world.user("arthur")

    async with world.sessionmaker() as db:
        manager = world.users(db)
        arthur = await manager.get(arthur.id)
        await (await db.connection()).execute(text('DELETE FROM "user"'))
        with pytest.raises(UserNotFound):
            await manager.update(UserUpdate(display_name="Rex"), arthur)


async def test_user_who_became_the_last_superuser_concurrently_stays(world: World) -> None:
    arthur = await world.user("arthur")

    async with world.sessionmaker() as db:
        manager = world.users(db)
        arthur = await manager.get(arthur.id)
        await (await db.connection()).execute(text('UPDATE "user" SET is_superuser = true'))
        with pytest.raises(LastSuperuser):
            await manager.update(SuperuserUpdate(is_active=False), arthur)
        with pytest.raises(LastSuperuser):
            await manager.delete(arthur)


async def test_new_password_may_not_be_the_new_email(world: World) -> None:
    headers = await world.sign_in(await world.user("arthur"))
    body = {"email": "excaliburian@camelot.example.com", "password": "excaliburian12"}

    response = await world.client.patch("/users/me", json=body, headers=headers)

    assert (response.status_code, response.json()["detail"]) == (400, "UPDATE_USER_INVALID_PASSWORD")
