"""Sign-in with a passkey alone: two factors in one, for the right challenge, origin and counter only."""

import asyncio
from typing import Any

import jwt
import pytest
from httpx2 import Response
from sqlalchemy import text
from sqlmodel import select

from accounts.db.session import transaction
from accounts.domain.errors import MfaRequired
from accounts.models import AuditEvent, MailKind
from support.authenticator import BACKUP_ELIGIBLE, FLAGS, PRESENT, Authenticator, b64
from support.passkeys import code, present, sign_in, sign_in_options, with_passkey
from support.people import World
from support.waiting import wait_for_lock

REFUSED = (400, "BAD_PASSKEY")


def claims(response: Response) -> dict[str, Any]:
    decoded: dict[str, Any] = jwt.decode(response.json()["access_token"], options={"verify_signature": False})
    return decoded


async def test_options_are_the_same_for_everyone(world: World) -> None:
    before = await sign_in_options(world)
    await with_passkey(world)
    after = await sign_in_options(world)

    assert before.pop("challenge") != after.pop("challenge")
    assert before == after
    assert (after["rpId"], after["allowCredentials"], after["userVerification"]) == ("localhost", [], "required")


@pytest.mark.parametrize(("flags", "key"), [(FLAGS, "hwk"), (FLAGS | BACKUP_ELIGIBLE, "swk")])
async def test_passkey_signs_in_at_level_2_without_another_factor(world: World, flags: int, key: str) -> None:
    arthur = await with_passkey(world, flags=flags)

    response = await sign_in(world, arthur.key)

    assert (claims(response)["acr"], claims(response)["amr"]) == ("aal2", [key, "user", "mfa"])
    headers = {"Authorization": f"Bearer {response.json()['access_token']}"}
    assert (await world.client.get("/users/me", headers=headers)).json()["email"] == arthur.user.email


async def test_passkey_signs_in_with_a_cookie(world: World) -> None:
    arthur = await with_passkey(world)

    response = await present(world, arthur.key.get(await sign_in_options(world)), "cookie")

    assert (response.status_code, response.headers["Cache-Control"]) == (204, "no-store")
    cookie = response.headers["Set-Cookie"].partition(";")[0]
    assert (await world.client.get("/users/me", headers={"Cookie": cookie})).status_code == 200


async def test_cookie_sign_in_of_another_site_is_refused(world: World) -> None:
    arthur = await with_passkey(world)
    passkey = arthur.key.get(await sign_in_options(world))

    response = await world.client.post(
        "/auth/cookie/passkey", json={"passkey": passkey}, headers={"Sec-Fetch-Site": "cross-site"}
    )

    assert code(response) == (403, "CROSS_SITE")


async def test_passkey_gets_the_scopes_that_are_asked_for(world: World) -> None:
    arthur = await with_passkey(world)

    response = await present(world, arthur.key.get(await sign_in_options(world)), scope="groups")

    assert response.json()["scope"] == "account groups"


async def test_user_without_a_password_signs_in(world: World) -> None:
    arthur = await with_passkey(world)
    await world.sql("""UPDATE "user" SET hashed_password = '!'""")

    assert (await sign_in(world, arthur.key)).status_code == 200


@pytest.mark.parametrize(
    "forgery",
    [
        {"origin": "https://evil.example.org"},
        {"origin": "null"},
        {"rp_id": "evil.example.org"},
        {"flags": PRESENT},
        {"flags": 0},
        {"cross_origin": True},
        {"key": Authenticator().key},
        {"id": b"unknown"},
        {"user_handle": None},
        {"user_handle": b64(bytes(16))},
        {"user_handle": "*"},
    ],
    ids=lambda forgery: str(*forgery),
)
async def test_forged_response_is_refused(world: World, forgery: dict[str, Any]) -> None:
    arthur = await with_passkey(world)
    for name, value in forgery.items():
        setattr(arthur.key, name, value)

    assert code(await sign_in(world, arthur.key)) == REFUSED


async def test_refused_sign_in_of_a_known_passkey_is_recorded(world: World) -> None:
    arthur = await with_passkey(world)
    arthur.key.flags = PRESENT

    await sign_in(world, arthur.key)

    async with transaction(world.sessionmaker) as db:
        refused = select(AuditEvent).where(AuditEvent.action == "session.refused")
        [event] = (await db.exec(refused)).all()
    assert (event.user_id, event.detail["passkey"]) == (arthur.user.id, "Phone")


async def test_challenge_of_another_ceremony_is_refused(world: World) -> None:
    arthur = await with_passkey(world)
    mfa_token = (await arthur.password_sign_in())["mfa_token"]

    for options in (
        await arthur.options(),
        await arthur.options("/auth/elevate/passkey-options"),
        await arthur.second_factor_options(mfa_token),
    ):
        assert code(await present(world, arthur.key.get(options))) == REFUSED


async def test_one_of_many_concurrent_responses_to_a_challenge_signs_in(busy_world: World) -> None:
    arthur = await with_passkey(busy_world)
    passkey = arthur.key.get(await sign_in_options(busy_world))

    answers = await asyncio.gather(*(present(busy_world, passkey) for _ in range(16)))

    assert sorted(answer.status_code for answer in answers) == [200, *15 * [400]]
    sessions = await busy_world.client.get("/auth/sessions", headers=arthur.headers)
    assert len(sessions.json()) == 2


@pytest.mark.parametrize("count", [3, 6])
async def test_cloned_passkey_is_refused_and_the_user_is_told(world: World, count: int) -> None:
    arthur = await with_passkey(world, count=4)
    assert (await sign_in(world, arthur.key)).status_code == 200
    assert arthur.key.count == 6
    await world.sql("DELETE FROM outbox")
    arthur.key.count = count - 1

    assert code(await sign_in(world, arthur.key)) == REFUSED

    [notice] = await world.mails(MailKind.SECURITY_CHANGED)
    assert (notice.detail["change"], notice.detail["factor_name"]) == ("passkey_cloned", "Phone")
    activity = (await world.client.get("/users/me/activity", headers=arthur.headers)).json()
    assert "passkey.cloned" in [event["action"] for event in activity]
    assert len(await arthur.passkeys()) == 1
    arthur.key.count = 9
    assert (await sign_in(world, arthur.key)).status_code == 200


async def test_forged_count_without_the_key_does_not_alarm_the_user(world: World) -> None:
    arthur = await with_passkey(world, count=4)
    arthur.key.key, arthur.key.count = Authenticator().key, 1

    assert code(await sign_in(world, arthur.key)) == REFUSED

    activity = (await world.client.get("/users/me/activity", headers=arthur.headers)).json()
    assert "passkey.cloned" not in [event["action"] for event in activity]


async def test_concurrent_uses_with_the_same_count_sign_in_once(busy_world: World) -> None:
    arthur = await with_passkey(busy_world, count=4)
    answers = []
    for _ in range(4):
        arthur.key.count = 7
        answers.append(arthur.key.get(await sign_in_options(busy_world)))

    responses = await asyncio.gather(*(present(busy_world, answer) for answer in answers))

    assert sorted(response.status_code for response in responses) == [200, 400, 400, 400]


async def test_deactivated_user_is_refused(world: World) -> None:
    arthur = await with_passkey(world)
    await world.sql("""UPDATE "user" SET is_active = false""")

    assert code(await sign_in(world, arthur.key)) == REFUSED


@pytest.mark.parametrize("change", ["DELETE FROM passkey", """DELETE FROM "user" """])
async def test_passkey_that_is_removed_during_the_sign_in_is_refused(busy_world: World, change: str) -> None:
    arthur = await with_passkey(busy_world)
    passkey = arthur.key.get(await sign_in_options(busy_world))

    async with busy_world.owner() as db:
        connection = await db.connection()
        await connection.execute(text("""SELECT id FROM "user" FOR UPDATE"""))
        signing_in = asyncio.create_task(present(busy_world, passkey))
        await wait_for_lock(busy_world, "the sign-in waits for the user")
        await connection.execute(text(change))

    assert code(await signing_in) == REFUSED


async def test_sign_in_resets_the_failed_attempts_of_the_user(world: World) -> None:
    world.change_settings(throttle_scale=1)
    arthur = await with_passkey(world)
    for _ in range(4):
        await world.login(arthur.user, "wrong-password")

    assert (await sign_in(world, arthur.key)).status_code == 200

    assert (await world.login(arthur.user, "wrong-password")).json()["detail"] == "LOGIN_BAD_CREDENTIALS"
    assert (await world.login(arthur.user)).json()["detail"] == MfaRequired.code
