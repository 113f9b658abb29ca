"""Superusers reauthenticate for every change of users but the display name: an old session alone changes nothing."""

import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from httpx2 import Response

from accounts.api.app import create_app
from accounts.db.session import transaction
from accounts.models import User
from accounts.schemas.identity.users import UserUpdate
from support.people import PASSWORD, World

DOCUMENT: dict[str, Any] = create_app().openapi()
SAFE_METHODS = {"get", "head"}
OLD = "UPDATE user_session SET authenticated_at = now() - interval '1 day'"
REQUIRED = (403, "REAUTHENTICATION_REQUIRED")
# By format, else by type: for each field a value that differs from the stored one.
VALUES = {"idn-email": "rex@camelot.example.com", "password": "a-sword-in-a-stone", "boolean": True, "string": "Rex"}
NEVER_SENSITIVE = {"display_name", "language"}
# Method and path of writes that change neither a user nor what the user may do.
HARMLESS: set[tuple[str, str]] = set()


def superuser_writes() -> Iterator[tuple[str, str]]:
    """Yield the method and path of every write that requires a superuser, as the OpenAPI document says.

    A file has no place for a password: its route requires a recent sign-in, and has tests of its own.
    """
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            forbidden = operation["responses"].get("403", {}).get("content", {}).values()
            content = operation.get("requestBody", {}).get("content", {"application/json": {}})
            if (
                method not in SAFE_METHODS
                and "application/json" in content
                and any("FORBIDDEN" in content["examples"] for content in forbidden)
            ):
                yield method, path


WRITES = [write for write in superuser_writes() if write not in HARMLESS]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow references and choose the first alternative."""
    while "$ref" in schema or "anyOf" in schema:
        schema = schema["anyOf"][0] if "anyOf" in schema else schema
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return schema


def bodies(method: str, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield bodies without the password: the required fields alone, and with each of the others. With what is added."""
    content = DOCUMENT["paths"][path][method].get("requestBody", {}).get("content", {})
    schema = resolved(content["application/json"]["schema"]) if content else {}
    values = {
        name: VALUES.get(found.get("format", ""), VALUES[found["type"]])
        for name, field in schema.get("properties", {}).items()
        if name != "current_password" and (found := resolved(field))
    }
    required = {name: values[name] for name in schema.get("required", []) if name in values}
    if required or not values:
        yield "nothing", required
    for name in sorted(values.keys() - required.keys() - NEVER_SENSITIVE):
        yield name, required | {name: values[name]}


CASES = [(method, path, body) for method, path in WRITES for _, body in bodies(method, path)]


async def send(world: World, method: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> Response:
    return await world.client.request(method, path, json=body or None, headers=headers)


async def send_during(
    world: World, patch: pytest.MonkeyPatch, change: Callable[[], Awaitable[None]], method: str, path: str, caller: User
) -> Response:
    """Send a write, and change something while the caller's password is verified."""
    headers = await world.sign_in(caller)
    verify = world.passwords.verify

    async def verify_during_change(password: str, hashed: str | None) -> tuple[bool, str | None]:
        result = await verify(password, hashed)
        await change()
        return result

    patch.setattr(world.passwords, "verify", verify_during_change)
    template = re.sub("[0-9a-f-]{36}", "{user_id}", path)
    _, body = next(bodies(method, template))
    return await send(world, method, path, body | {"current_password": PASSWORD}, headers)


@pytest.fixture
async def arthur(world: World) -> User:
    return await world.user("arthur", is_active=False)


@pytest.fixture
async def old_session(world: World) -> dict[str, str]:
    headers = await world.sign_in(await world.user("morgana", superuser=True))
    await world.sql(OLD)
    return headers


def test_document_names_the_superuser_writes() -> None:
    assert set(WRITES) >= {
        ("post", "/users"),
        ("patch", "/users/{user_id}"),
        ("delete", "/users/{user_id}"),
        ("delete", "/users/{user_id}/sessions"),
    }
    assert {name for name, _ in bodies("patch", "/users/{user_id}")} == {
        "email", "password", "is_active", "is_superuser", "is_verified",
    }  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), CASES)
class TestEveryWrite:
    async def test_old_session_is_refused(
        self, world: World, arthur: User, old_session: dict[str, str], method: str, path: str, body: dict[str, Any]
    ) -> None:
        before = (await world.client.get("/users", headers=old_session)).json()

        response = await send(world, method, path.format(user_id=arthur.id), body, old_session)

        assert (response.status_code, response.json()["detail"]) == REQUIRED
        assert (await world.client.get("/users", headers=old_session)).json() == before

    async def test_wrong_password_is_refused_also_after_a_recent_sign_in(
        self, world: World, arthur: User, method: str, path: str, body: dict[str, Any]
    ) -> None:
        headers = await world.sign_in(await world.user("morgana", superuser=True))
        body = body | {"current_password": "not-the-password"}

        response = await send(world, method, path.format(user_id=arthur.id), body, headers)

        assert (response.status_code, response.json()["detail"]) == (400, "BAD_CURRENT_PASSWORD")

    async def test_current_password_is_accepted(
        self, world: World, arthur: User, old_session: dict[str, str], method: str, path: str, body: dict[str, Any]
    ) -> None:
        body = body | {"current_password": PASSWORD}

        assert (await send(world, method, path.format(user_id=arthur.id), body, old_session)).is_success

    async def test_recent_sign_in_is_accepted(
        self, world: World, arthur: User, method: str, path: str, body: dict[str, Any]
    ) -> None:
        headers = await world.sign_in(await world.user("morgana", superuser=True))

        assert (await send(world, method, path.format(user_id=arthur.id), body, headers)).is_success


@pytest.mark.parametrize(("method", "path"), WRITES)
class TestEveryRoute:
    async def test_guesses_of_the_password_are_rate_limited(
        self, world: World, arthur: User, old_session: dict[str, str], method: str, path: str
    ) -> None:
        world.change_settings(throttle_scale=1)
        _, body = next(bodies(method, path))
        guess = body | {"current_password": "not-the-password"}

        statuses = [
            (await send(world, method, path.format(user_id=arthur.id), guess, old_session)).status_code
            for _ in range(6)
        ]

        assert statuses == [400] * 5 + [429]

    def test_refusals_are_documented(self, method: str, path: str) -> None:
        responses = DOCUMENT["paths"][path][method]["responses"]

        for status, code in (("403", "REAUTHENTICATION_REQUIRED"), ("400", "BAD_CURRENT_PASSWORD")):
            assert code in responses[status]["content"]["application/problem+json"]["examples"]

    async def test_write_is_refused_if_the_password_is_reset_while_it_is_verified(
        self, busy_world: World, monkeypatch: pytest.MonkeyPatch, method: str, path: str
    ) -> None:
        arthur = await busy_world.user("arthur", is_active=False)
        morgana = await busy_world.user("morgana", superuser=True)

        async def reset() -> None:
            async with transaction(busy_world.sessionmaker) as db:
                users = busy_world.users(db)
                await users.update(UserUpdate(password="a-sword-in-a-stone"), await users.get(morgana.id))

        response = await send_during(busy_world, monkeypatch, reset, method, path.format(user_id=arthur.id), morgana)

        assert (response.status_code, response.json()["detail"]) == REQUIRED

    async def test_no_connection_is_held_while_passwords_are_hashed(
        self, busy_world: World, monkeypatch: pytest.MonkeyPatch, method: str, path: str
    ) -> None:
        arthur = await busy_world.user("arthur", is_active=False)
        headers = await busy_world.sign_in(await busy_world.user("morgana", superuser=True))
        held = busy_world.connections_held_at(monkeypatch, "_run")
        _, body = next(bodies(method, path))
        body = body | {"current_password": PASSWORD}

        assert (await send(busy_world, method, path.format(user_id=arthur.id), body, headers)).is_success

        assert set(held) == {0}


@pytest.mark.parametrize("statement", ["DELETE FROM user_session", 'UPDATE "user" SET is_superuser = false'])
async def test_write_is_refused_if_the_caller_is_signed_out_or_demoted_while_the_password_is_verified(
    busy_world: World, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    arthur, morgana = await busy_world.user("arthur"), await busy_world.user("morgana", superuser=True)

    async def change() -> None:
        await busy_world.sql(statement)

    response = await send_during(busy_world, monkeypatch, change, "delete", f"/users/{arthur.id}", morgana)

    assert (response.status_code, response.json()["detail"]) == REQUIRED


@pytest.mark.parametrize(
    "body", [{"display_name": "Rex"}, {"is_active": False}, {"email": "arthur@camelot.example.com"}]
)
async def test_display_name_and_unchanged_fields_need_no_reauthentication(
    world: World, arthur: User, old_session: dict[str, str], body: dict[str, Any]
) -> None:
    assert (await send(world, "PATCH", f"/users/{arthur.id}", body, old_session)).status_code == 200


async def test_creation_after_a_recent_sign_in_holds_no_connection_while_it_hashes(
    busy_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = await busy_world.sign_in(await busy_world.user("morgana", superuser=True))
    held = busy_world.connections_held_at(monkeypatch, "hash_new")

    body = {"email": "rex@camelot.example.com", "password": PASSWORD}
    assert (await send(busy_world, "POST", "/users", body, headers)).status_code == 201

    assert held == [0]


@pytest.mark.parametrize("field", ["is_verified", "is_active", "is_superuser"])
async def test_own_flags_need_reauthentication(world: World, old_session: dict[str, str], field: str) -> None:
    me = (await world.client.get("/users/me", headers=old_session)).json()

    response = await send(world, "PATCH", f"/users/{me['id']}", {field: not me[field]}, old_session)

    assert (response.status_code, response.json()["detail"]) == REQUIRED
