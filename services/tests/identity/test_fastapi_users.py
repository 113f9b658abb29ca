"""FastAPI Users' own routers work on the domain's managers, so that others can be added, such as OAuth."""

import uuid
from collections.abc import AsyncIterator

import pytest
from fastapi import Request
from fastapi_users.schemas import BaseUser, BaseUserCreate, BaseUserUpdate
from sqlmodel import select

import conftest
from accounts.api.app import create_app
from accounts.api.authentication import FastAPIUsersManager, bearer, fastapi_users
from accounts.db.session import Sessionmaker, transaction
from accounts.domain.errors import ReauthenticationRequired
from accounts.models import UserSession
from support.people import PASSWORD, World

NEW_PASSWORD = "a-sword-in-a-stone"
ARTHUR = {"email": "arthur@camelot.example.com", "password": PASSWORD}
Read = BaseUser[uuid.UUID]


@pytest.fixture
async def world(sessionmaker: Sessionmaker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """The API with FastAPI Users' routers under /own."""
    app = create_app()
    app.include_router(fastapi_users.get_register_router(Read, BaseUserCreate), prefix="/own")
    app.include_router(fastapi_users.get_users_router(Read, BaseUserUpdate), prefix="/own/users")
    app.include_router(fastapi_users.get_auth_router(bearer), prefix="/own")
    app.include_router(fastapi_users.get_auth_router(bearer, requires_verification=True), prefix="/own/verified")
    monkeypatch.setattr(conftest, "application", lambda: app)
    async with conftest.world_of(sessionmaker) as world:
        yield world


async def test_register_router_creates_users_without_flags_by_the_rules(world: World) -> None:
    body = ARTHUR | {"is_superuser": True, "is_verified": True}

    created, taken, weak = [
        await world.client.post("/own/register", json=body | change)
        for change in ({}, {"email": "ARTHUR@camelot.example.com"}, {"email": "rex@x.org", "password": "password1234"})
    ]

    user = created.json()
    assert (created.status_code, user["is_superuser"], user["is_verified"]) == (201, False, False)
    assert (taken.status_code, taken.json()["detail"]) == (400, "REGISTER_USER_ALREADY_EXISTS")
    assert (weak.status_code, weak.json()["detail"]) == (400, "REGISTER_INVALID_PASSWORD")
    assert (await world.login(ARTHUR["email"])).status_code == 200


async def test_auth_router_signs_in_with_the_password_only(world: World) -> None:
    await world.user("arthur")
    wrong, right = [
        await world.client.post("/own/login", data={"username": ARTHUR["email"], "password": password})
        for password in (NEW_PASSWORD, PASSWORD)
    ]

    assert (wrong.status_code, wrong.json()["detail"]) == (400, "LOGIN_BAD_CREDENTIALS")
    assert right.status_code == 200


async def test_code_of_a_router_is_the_detail_of_the_problem(world: World) -> None:
    await world.user("arthur")
    response = await world.client.post("/own/verified/login", data={"username": ARTHUR["email"], "password": PASSWORD})

    assert (response.status_code, response.json()["detail"]) == (400, "LOGIN_USER_NOT_VERIFIED")
    assert "reason" not in response.json()


async def test_users_router_updates_and_deletes_by_the_rules(world: World) -> None:
    arthur, morgana = await world.user("arthur"), await world.user("morgana", superuser=True)
    here, elsewhere, admin = [await world.sign_in(user) for user in (arthur, arthur, morgana)]

    changed = await world.client.patch(
        "/own/users/me", json={"password": NEW_PASSWORD, "is_superuser": True}, headers=here
    )
    promoted = await world.client.patch(f"/own/users/{arthur.id}", json={"is_verified": True}, headers=admin)
    last = await world.client.delete(f"/own/users/{morgana.id}", headers=admin)

    assert (changed.status_code, changed.json()["is_superuser"]) == (200, False)
    assert (await world.client.get("/own/users/me", headers=elsewhere)).status_code == 401
    assert promoted.json()["is_verified"] is True
    assert (last.status_code, last.json()["detail"]) == (409, "LAST_SUPERUSER")
    assert (await world.client.delete(f"/own/users/{arthur.id}", headers=admin)).status_code == 204


async def test_manager_refuses_changes_without_the_session_of_a_caller(world: World) -> None:
    arthur = await world.user("arthur")
    async with transaction(world.sessionmaker) as db:
        manager = FastAPIUsersManager(world.users(db))
        for safe in (True, False):
            with pytest.raises(ReauthenticationRequired):
                await manager.update(BaseUserUpdate(password=NEW_PASSWORD), arthur, safe=safe)
        with pytest.raises(ReauthenticationRequired):
            await manager.delete(arthur)
        with pytest.raises(ReauthenticationRequired):
            await manager.create(BaseUserCreate(email="rex@camelot.example.com", password=PASSWORD))
    assert (await world.login(arthur)).status_code == 200


async def test_manager_creates_users_with_flags_for_a_superuser_with_a_recent_sign_in(world: World) -> None:
    await world.sign_in(await world.user("morgana", superuser=True))
    request = Request({"type": "http"})
    async with transaction(world.sessionmaker) as db:
        request.state.current_session = (await db.exec(select(UserSession))).one()
        rex = BaseUserCreate(email="rex@camelot.example.com", password=PASSWORD, is_active=True, is_verified=True)
        user = await FastAPIUsersManager(world.users(db)).create(rex, request=request)

    assert user.is_verified


async def test_users_router_requires_a_recent_sign_in_for_a_new_password(world: World) -> None:
    headers = await world.sign_in(await world.user("arthur"))
    await world.sql("UPDATE user_session SET authenticated_at = now() - interval '601 seconds'")

    response = await world.client.patch("/own/users/me", json={"password": NEW_PASSWORD}, headers=headers)

    assert (response.status_code, response.json()["detail"]) == (403, "REAUTHENTICATION_REQUIRED")
