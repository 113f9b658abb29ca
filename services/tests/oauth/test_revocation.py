"""Revocation (RFC 7009): a token ends its session, and a stranger's guess ends nothing."""

import asyncio
import uuid
from typing import Any

import pytest
from httpx2 import Response
from sqlmodel import col, select

from accounts.db.session import transaction
from accounts.domain.access_keys.secret import KeyKind
from accounts.domain.sessions.session_token import SessionToken, parse_session_token
from accounts.models import AccessKey, AuditEvent, Scope
from support.people import World


async def revoke(world: World, token: str, **form: Any) -> Response:
    response = await world.client.post("/oauth/revoke", data={"token": token, **form})
    assert response.status_code == 200
    return response


async def is_usable(world: World, tokens: dict[str, str]) -> bool:
    me = await world.client.get("/users/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    return me.status_code == 200


@pytest.mark.parametrize("name", ["access_token", "refresh_token"])
@pytest.mark.parametrize("hint", ["", "access_token", "refresh_token", "unknown"])
async def test_token_ends_its_session_and_no_other(world: World, name: str, hint: str) -> None:
    arthur = await world.user("arthur")
    tokens, others = (await world.login(arthur)).json(), (await world.login(arthur)).json()

    await revoke(world, tokens[name], token_type_hint=hint)

    assert not await is_usable(world, tokens)
    refreshed = await world.client.post("/auth/jwt/refresh", data={"refresh_token": tokens["refresh_token"]})
    assert refreshed.json()["detail"] == "REFRESH_BAD_TOKEN"
    assert await is_usable(world, others)


async def test_used_refresh_token_ends_its_session(world: World) -> None:
    first = (await world.login(await world.user("arthur"))).json()
    second = (await world.client.post("/auth/jwt/refresh", data=first)).json()

    await revoke(world, first["refresh_token"])

    assert not await is_usable(world, second)


async def test_current_refresh_token_of_a_key_that_was_dropped_ends_its_session(world: World) -> None:
    tokens = (await world.login(await world.user("arthur"))).json()
    world.change_settings(secret_key=type(world.state["settings"].secret_key)("another secret that is long enough"))

    await revoke(world, tokens["refresh_token"])

    assert not await is_usable(world, tokens)


async def test_all_other_tokens_are_ignored_alike(world: World) -> None:
    tokens = (await world.login(await world.user("arthur"))).json()
    session_id = parse_session_token(tokens["refresh_token"]).session_id  # type: ignore[union-attr]
    invented = SessionToken.create(session_id, "not the key")

    answers = [
        await revoke(world, token)
        for token in (
            str(invented),
            tokens["access_token"][:-2],
            world.state["keys"].sign(uuid.uuid4(), session_id),
            world.state["keys"].sign(uuid.uuid4(), uuid.uuid4()),
            "acc_pat_unknown",
            "nonsense é",
        )
    ]

    assert await is_usable(world, tokens)
    assert len({answer.content for answer in answers}) == 1


async def test_personal_access_token_is_deleted_and_others_stay(world: World) -> None:
    arthur = await world.user("arthur")
    key, other = [await world.access_key(arthur, Scope.PROFILE_READ) for _ in range(2)]

    await revoke(world, key["Authorization"].removeprefix("Bearer "))

    assert (await world.client.get("/users/me", headers=key)).status_code == 401
    assert (await world.client.get("/users/me", headers=other)).status_code == 200


async def test_client_secret_is_no_token(world: World) -> None:
    secret = await world.access_key(await world.user("robot"), Scope.PROFILE_READ, kind=KeyKind.SERVICE)

    await revoke(world, secret["Authorization"].removeprefix("Bearer "))

    async with transaction(world.sessionmaker) as db:
        assert len((await db.exec(select(AccessKey))).all()) == 1


@pytest.mark.parametrize("name", ["access_token", "refresh_token", "key"])
async def test_concurrent_revocations_are_answered_alike(busy_world: World, name: str) -> None:
    arthur = await busy_world.user("arthur")
    headers = await busy_world.access_key(arthur, Scope.PROFILE_READ)
    tokens = (await busy_world.login(arthur)).json() | {"key": headers["Authorization"].removeprefix("Bearer ")}

    answers = await asyncio.gather(*(revoke(busy_world, tokens[name]) for _ in range(8)))

    assert len({answer.content for answer in answers}) == 1
    async with transaction(busy_world.sessionmaker) as db:
        ended = select(AuditEvent).where(col(AuditEvent.action).in_(["session.ended", "token.revoked"]))
        assert len((await db.exec(ended)).all()) == 1


async def test_revoking_twice_is_the_same_as_once(world: World) -> None:
    tokens = (await world.login(await world.user("arthur"))).json()

    first, second = await revoke(world, tokens["access_token"]), await revoke(world, tokens["access_token"])

    assert first.content == second.content


async def test_cookie_is_no_token_of_oauth(world: World) -> None:
    arthur = await world.user("arthur")
    form = {"username": arthur.email, "password": "guinevere-and-lancelot"}
    response = await world.client.post("/auth/cookie/login", data=form)
    cookie = response.cookies["__Host-accounts"]

    await revoke(world, cookie)

    me = await world.client.get("/users/me", headers={"Cookie": f"__Host-accounts={cookie}"})
    assert me.status_code == 200


async def test_end_is_in_the_users_activity(world: World) -> None:
    arthur = await world.user("arthur")
    tokens = (await world.login(arthur)).json()
    headers = await world.sign_in(arthur)

    await revoke(world, tokens["refresh_token"])

    events = (await world.client.get("/users/me/activity", headers=headers)).json()
    assert (events[0]["action"], events[0]["by_me"]) == ("session.ended", True)
