"""Every way to set a password looks it up, also those that are added later; signing in does not.

A new operation with a password is found by its fields. If it needs more, add that to ``arrange``.
"""

import ast
import asyncio
import io
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import pytest

from accounts.commands import run, superuser
from accounts.domain.breached_passwords.lists import IsBreached
from accounts.domain.identity.password_policy import BREACHED
from accounts.models import Role
from accounts.settings import Settings, SignUp
from support.operations import PATH_VALUES, Operation, name_of, operations, page_operations
from support.people import PASSWORD, World
from support.project import ROOT
from support.range_api import RangeServer

PACKAGE = ROOT / "services/accounts"
LEAKED = "excalibur-from-the-lake"
NEW = "percival@camelot.example.com"
SIGN_IN = {"username", "password"}


def new_passwords(operation: Operation) -> set[str]:
    """Return the fields for a password that is set, not checked."""
    fields = set(operation.fields())
    if operation.is_safe or fields >= SIGN_IN:
        return set()
    return {name for name in fields if "password" in name and not name.startswith("current_")}


ALL = (*operations(), *page_operations())
SETTING = [each for each in ALL if new_passwords(each)]
SIGNING_IN = [each for each in ALL if each.fields().keys() >= SIGN_IN]


def test_walk_finds_the_operations_that_set_a_password() -> None:
    assert {each[:2] for each in SETTING} >= {
        ("post", "/auth/register"),
        ("post", "/auth/complete-registration"),
        ("post", "/auth/reset-password"),
        ("patch", "/users/me"),
        ("patch", "/users/{user_id}"),
        ("post", "/users"),
        ("post", "/account/register"),
        ("post", "/account/complete-registration"),
        ("post", "/account/reset-password"),
        ("post", "/account/change-password"),
    }
    assert len(SIGNING_IN) == 3


@pytest.fixture
def leaked(mirror: RangeServer) -> RangeServer:
    mirror.leak(LEAKED)
    return mirror


async def token(world: World, operation: Operation) -> str:
    """Return the mailed token that an operation needs, if it needs one."""
    if operation.path.endswith("/complete-registration"):
        world.change_settings(sign_up=SignUp.VERIFIED)
        await world.client.post("/auth/register", json={"email": NEW, "password": PASSWORD})
        return await world.token()
    if operation.path.endswith("/reset-password"):
        user = await world.user("bors")
        await world.client.post("/auth/forgot-password", json={"email": user.email})
        return await world.token()
    return ""


async def arrange(world: World, operation: Operation, password: str) -> dict[str, Any]:
    """Return the arguments of the request with which a superuser calls an operation."""
    values = {"email": NEW, "current_password": PASSWORD, "token": await token(world, operation)}
    values |= dict.fromkeys(new_passwords(operation), password)
    if operation.method == "patch":
        del values["email"]  # the password alone
    fields = {name: values[name] for name in operation.fields() if name in values}
    morgana, kay = await world.user("morgana", superuser=True), await world.user("kay")
    headers = await world.sign_in(morgana)
    if operation.is_form:
        form = {"username": morgana.email, "password": PASSWORD}
        cookie = (await world.client.post("/auth/cookie/login", data=form)).headers["set-cookie"]
        headers = {"Cookie": cookie.partition(";")[0]}
    url = operation.path.format_map(PATH_VALUES | {"user_id": str(kay.id)})
    return {"method": operation.method, "url": url, "headers": headers, "data" if operation.is_form else "json": fields}


@pytest.mark.parametrize("operation", SETTING, ids=name_of)
async def test_leaked_password_is_refused_and_looked_up_without_a_connection(
    busy_world: World,
    leaked: RangeServer,
    is_breached: IsBreached,
    monkeypatch: pytest.MonkeyPatch,
    operation: Operation,
) -> None:
    request = await arrange(busy_world, operation, LEAKED)
    busy_world.passwords.is_breached = is_breached
    held = busy_world.connections_held_at(monkeypatch, "is_breached")

    answer = await busy_world.client.request(**request)

    assert answer.status_code == 400, answer.text
    if operation.path.startswith(("/account/", "/admin/")):
        assert escape(BREACHED) in answer.text
    else:
        assert answer.json()["reason"] == BREACHED
        assert answer.json()["detail"].endswith("_INVALID_PASSWORD")
    assert (len(leaked.requests), held) == (1, [0])


@pytest.mark.parametrize("operation", SETTING, ids=name_of)
async def test_another_password_is_accepted(
    world: World, leaked: RangeServer, is_breached: IsBreached, operation: Operation
) -> None:
    request = await arrange(world, operation, "a-sword-in-a-stone")
    world.passwords.is_breached = is_breached

    answer = await world.client.request(**request)

    assert answer.status_code < 400, answer.text
    assert len(leaked.requests) == 1


@pytest.mark.parametrize("operation", SIGNING_IN, ids=name_of)
async def test_sign_in_looks_no_password_up(
    world: World, leaked: RangeServer, is_breached: IsBreached, operation: Operation
) -> None:
    await world.client.post("/auth/register", json={"email": NEW, "password": LEAKED})
    world.passwords.is_breached = is_breached
    form = {"username": NEW, "password": LEAKED}

    answer = await world.client.request(operation.method, operation.url, data=form)

    assert answer.status_code < 400, answer.text
    assert leaked.requests == []


async def test_current_password_is_not_looked_up(world: World, leaked: RangeServer, is_breached: IsBreached) -> None:
    await world.client.post("/auth/register", json={"email": NEW, "password": LEAKED})
    headers = await world.sign_in(NEW, LEAKED)
    world.passwords.is_breached = is_breached
    body = {"current_password": LEAKED, "email": "elsewhere@camelot.example.com"}

    assert (await world.client.patch("/users/me", json=body, headers=headers)).status_code == 200
    assert leaked.requests == []


@pytest.mark.usefixtures("leaked")
async def test_invitation_stays_open_when_the_password_is_leaked(world: World, is_breached: IsBreached) -> None:
    group = await world.group("Round Table", members={await world.user("arthur", is_verified=True): Role.OWNER})
    headers = await world.sign_in("arthur@camelot.example.com")
    await world.client.post(f"/user-groups/{group.id}/invitations", json={"email": NEW}, headers=headers)
    body = {"email": NEW, "invitation": await world.token()}
    world.passwords.is_breached = is_breached

    refused = await world.client.post("/auth/register", json=body | {"password": LEAKED})
    registered = await world.client.post("/auth/register", json=body | {"password": PASSWORD})

    assert (refused.json()["reason"], registered.status_code) == (BREACHED, 201)


async def test_password_is_not_looked_up_beyond_the_rate_limit(
    world: World, mirror: RangeServer, is_breached: IsBreached
) -> None:
    headers = await world.sign_in(await world.user("arthur"))
    world.change_settings(throttle_scale=0.1)
    world.passwords.is_breached = is_breached

    codes = []
    for number in range(20):
        mirror.leak(password := f"{LEAKED}-{number}")
        codes.append((await world.client.patch("/users/me", json={"password": password}, headers=headers)).status_code)

    assert set(codes) == {400, 429}
    assert len(mirror.requests) == codes.count(400)


async def test_page_names_the_reason_in_german(world: World, leaked: RangeServer, is_breached: IsBreached) -> None:
    world.passwords.is_breached = is_breached
    form = {"email": NEW, "password": LEAKED}

    answer = await world.client.post("/account/register", data=form, headers={"Accept-Language": "de"})

    assert "in einer Liste gestohlener Passwörter" in answer.text
    assert len(leaked.requests) == 1


async def test_superuser_command_refuses_a_leaked_password(
    busy_world: World, leaked: RangeServer, fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = fresh_settings.model_copy(update={"breached_passwords_url": leaked.url})
    for module in (run, superuser):
        monkeypatch.setattr(module, "get_settings", lambda: asking)
    monkeypatch.setattr(sys, "stdin", io.StringIO(LEAKED))

    with pytest.raises(SystemExit) as ended:
        await asyncio.to_thread(superuser.main, ["morgana@camelot.example.com"])

    assert ended.value.code == f"superuser: {BREACHED}"
    assert (await busy_world.login("morgana@camelot.example.com", LEAKED)).status_code == 400


# What opens a hasher that looks no password up, because it sets none that a user chose.
UNCHECKED = {"commands/admin.py", "seeder/__main__.py"}


def calls(path: Path) -> Iterator[ast.Call]:
    yield from (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def test_every_process_that_hashes_passwords_looks_them_up_or_is_known_not_to() -> None:
    parameters = {"PasswordHasher": 3, "user_manager": 2}
    unchecked = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for call in calls(path)
        if isinstance(call.func, ast.Name) and len(call.args) < parameters.get(call.func.id, 0)
    }

    assert unchecked == UNCHECKED


def test_new_passwords_are_hashed_in_one_place() -> None:
    """Elsewhere they would not be compared with the policy and the lists."""
    hashing = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for call in calls(path)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "hash"
    }

    assert hashing == {
        "domain/identity/password_hashing.py",
        "seeder/volume.py",  # the published password of the sample data
    }
