"""The routes of personal access tokens: create, list, rename and revoke."""

import asyncio
import logging
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from httpx2 import Response
from sqlmodel import col, select

from accounts.db.session import transaction
from accounts.domain import errors
from accounts.domain.access_keys import store
from accounts.domain.access_keys.secret import KeyKind
from accounts.models import AccessKey, AuditEvent, MailKind, OutboxMail, Scope, User
from support.people import PASSWORD, World

PATH = "/users/me/tokens"
BODY: dict[str, Any] = {"name": "nightly report", "scopes": ["groups:read", "profile:read"], "expires_in_days": 90}
NEW_PASSWORD = "a-sword-in-a-stone"  # of a test


async def create(world: World, headers: dict[str, str], **changes: Any) -> Response:
    return await world.client.post(PATH, json=BODY | changes, headers=headers)


async def signed_in(world: World, name: str = "arthur", **changes: Any) -> tuple[User, dict[str, str]]:
    user = await world.user(name, **changes)
    return user, await world.sign_in(user)


def bearer(answer: Response) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['token']}"}


async def status(world: World, key: dict[str, str]) -> int:
    return (await world.client.get("/users/me", headers=key)).status_code


async def test_a_created_token_works_and_is_shown_once(world: World) -> None:
    arthur, headers = await signed_in(world)

    created = await create(world, headers)
    listed = await world.client.get(PATH, headers=headers)

    assert created.status_code == HTTPStatus.CREATED
    assert created.headers["Cache-Control"] == "no-store"
    token = created.json().pop("token")
    assert token.startswith("acc_pat_")
    assert (await world.client.get("/users/me", headers=bearer(created))).json()["id"] == str(arthur.id)
    (shown,) = listed.json()
    assert shown == {name: value for name, value in created.json().items() if name != "token"}
    assert (shown["name"], shown["scopes"]) == ("nightly report", ["groups:read", "profile:read"])
    assert token[30:] not in listed.text


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "x" * 61},
        {"name": "two\nlines"},
        {"scopes": []},
        {"scopes": ["account"]},
        {"scopes": ["groups"]},
        {"scopes": ["users:write"]},
        {"scopes": ["everything"]},
        {"scopes": ["groups:read"] * 21},
        {"expires_in_days": 0},
        {"expires_in_days": 367},
        {"expires_in_days": None},
    ],
    ids=str,
)
async def test_an_invalid_token_is_refused(world: World, changes: dict[str, Any]) -> None:
    _, headers = await signed_in(world)

    assert (await create(world, headers, **changes)).json()["detail"] == "REQUEST_INVALID"


async def test_the_scopes_that_exist_are_named(world: World) -> None:
    _, headers = await signed_in(world)

    [error] = (await create(world, headers, scopes=["group:read"])).json()["errors"]

    assert error["msg"].startswith("Input should be 'profile:read', 'groups:read', ")


async def test_an_expiry_is_required(world: World) -> None:
    _, headers = await signed_in(world)
    body = {name: value for name, value in BODY.items() if name != "expires_in_days"}

    assert (await world.client.post(PATH, json=body, headers=headers)).status_code == 422


async def test_repeated_scopes_are_one_and_the_name_is_normalised(world: World) -> None:
    _, headers = await signed_in(world)

    created = await create(world, headers, name="  Cafe\u0301 ", scopes=["profile:read", "groups:read", "profile:read"])

    assert (created.json()["name"], created.json()["scopes"]) == ("Café", ["groups:read", "profile:read"])


async def test_an_old_sign_in_requires_the_password(world: World) -> None:
    _, headers = await signed_in(world)
    await world.sql("UPDATE user_session SET authenticated_at = now() - interval '601 seconds'")

    assert (await create(world, headers)).json()["detail"] == "REAUTHENTICATION_REQUIRED"
    assert (await create(world, headers, current_password="wrong")).json()["detail"] == "BAD_CURRENT_PASSWORD"
    assert (await create(world, headers, current_password=PASSWORD)).status_code == HTTPStatus.CREATED


async def test_guesses_of_the_password_are_limited(world: World) -> None:
    _, headers = await signed_in(world)
    world.change_settings(throttle_scale=1)

    codes = [(await create(world, headers, current_password="wrong")).status_code for _ in range(6)]

    assert codes[0] == 400
    assert codes[-1] == 429


async def test_only_superusers_get_the_scopes_of_superusers(world: World) -> None:
    _, user = await signed_in(world)
    _, superuser = await signed_in(world, "merlin", superuser=True)

    refused = await create(world, user, scopes=["users:read"])
    key = bearer(await create(world, superuser, scopes=["users:read"]))

    assert (refused.status_code, refused.json()["detail"]) == (403, "SCOPE_REQUIRES_SUPERUSER")
    assert (await world.client.get("/users", headers=key)).is_success
    await world.sql('UPDATE "user" SET is_superuser = false')
    assert (await world.client.get("/users", headers=key)).json()["detail"] == "FORBIDDEN"


async def test_a_key_creates_no_key_and_touches_no_credential(world: World) -> None:
    arthur = await world.user("arthur", superuser=True)
    key = await world.access_key(arthur, *(scope for scope in Scope if scope is not Scope.ACCOUNT))
    changes = [
        ("POST", PATH, BODY | {"current_password": PASSWORD}),
        ("PATCH", "/users/me", {"password": NEW_PASSWORD, "current_password": PASSWORD}),
        ("PATCH", "/users/me", {"email": "rex@example.com", "current_password": PASSWORD}),
        ("PATCH", f"/users/{arthur.id}", {"password": NEW_PASSWORD, "current_password": PASSWORD}),
        ("POST", "/users", {"email": "new@example.com", "password": NEW_PASSWORD, "current_password": PASSWORD}),
        ("DELETE", "/users/me", {"current_password": PASSWORD}),
        ("DELETE", f"/users/{arthur.id}/sessions", {"current_password": PASSWORD}),
        ("DELETE", f"/users/{arthur.id}/tokens", {"current_password": PASSWORD}),
    ]

    for method, path, body in changes:
        answer = await world.client.request(method, path, json=body, headers=key)
        assert (answer.status_code, answer.json()["detail"]) == (403, "NOT_WITH_A_KEY"), path
    assert await status(world, key) == 200
    await world.sign_in(arthur)


async def test_a_token_is_renamed_and_revoked_by_its_user_only(world: World) -> None:
    _, headers = await signed_in(world)
    _, stranger = await signed_in(world, "mordred")
    created = await create(world, headers)
    path = f"{PATH}/{created.json()['id']}"

    for method, body in (("PATCH", {"name": "mine"}), ("DELETE", None)):
        refused = await world.client.request(method, path, json=body, headers=stranger)
        assert (refused.status_code, refused.json()["detail"]) == (404, "TOKEN_NOT_FOUND")
    renamed = await world.client.patch(path, json={"name": "weekly report"}, headers=headers)
    assert renamed.json()["name"] == "weekly report"
    assert await status(world, bearer(created)) == 200
    assert (await world.client.delete(path, headers=headers)).status_code == HTTPStatus.NO_CONTENT
    assert await status(world, bearer(created)) == 401
    assert (await world.client.delete(path, headers=headers)).status_code == HTTPStatus.NOT_FOUND


async def test_a_superuser_revokes_all_keys_of_a_user(world: World) -> None:
    arthur = await world.user("arthur")
    keys = [await world.access_key(arthur, "profile:read") for _ in range(2)]
    merlin, superuser = await signed_in(world, "merlin", superuser=True)
    own = await world.access_key(merlin, "profile:read")
    path = f"/users/{arthur.id}/tokens"

    assert (await world.client.delete(path, headers=await world.sign_in(arthur))).status_code == 403
    await world.sql("UPDATE user_session SET authenticated_at = now() - interval '601 seconds'")
    assert (await world.client.delete(path, headers=superuser)).json()["detail"] == "REAUTHENTICATION_REQUIRED"
    body = {"current_password": PASSWORD}
    assert (await world.client.request("DELETE", path, json=body, headers=superuser)).status_code == 204
    assert [await status(world, key) for key in (*keys, own)] == [401, 401, 200]


async def test_a_user_has_a_limited_number_of_tokens(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "KEYS_PER_USER", 2)
    _, headers = await signed_in(world)

    answers = [await create(world, headers) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 409]
    assert answers[2].json()["detail"] == "TOO_MANY_KEYS"
    await world.sql("UPDATE access_key SET expires_at = now()")
    assert (await create(world, headers)).status_code == 409  # an expired one counts until it is deleted
    await world.client.delete(f"{PATH}/{answers[0].json()['id']}", headers=headers)
    assert (await create(world, headers)).status_code == 201


async def test_concurrent_requests_create_no_more_tokens_than_allowed(
    busy_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "KEYS_PER_USER", 3)
    _, headers = await signed_in(busy_world)

    answers = await asyncio.gather(*(create(busy_world, headers) for _ in range(8)))

    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 5


async def test_a_user_who_was_deactivated_meanwhile_gets_no_token(world: World) -> None:
    user = await world.user("arthur")
    await world.sql('UPDATE "user" SET is_active = false')

    async with transaction(world.sessionmaker) as db:
        with pytest.raises(errors.UserNotFound):
            await store.AccessKeyStore(db).create(user, KeyKind.PERSONAL, "report", ["groups:read"], timedelta(1))


async def test_a_token_that_is_revoked_while_it_is_used_ends(busy_world: World) -> None:
    _, headers = await signed_in(busy_world)
    created = await create(busy_world, headers)
    key, path = bearer(created), f"{PATH}/{created.json()['id']}"

    async def use() -> int:
        return (await busy_world.client.post("/user-groups", json={"name": "Hunt"}, headers=key)).status_code

    *used, _ = await asyncio.gather(*(use() for _ in range(6)), busy_world.client.delete(path, headers=headers))

    assert set(used) <= {403, 401}  # groups:write is missing: the answer is that, or that of a revoked key
    assert await use() == 401


async def change_password(world: World, arthur: User, headers: dict[str, str]) -> None:
    assert arthur
    assert (await world.client.patch("/users/me", json={"password": NEW_PASSWORD}, headers=headers)).is_success


async def reset_password(world: World, arthur: User, _: dict[str, str]) -> None:
    await world.client.post("/auth/forgot-password", json={"email": arthur.email})
    body = {"token": await world.token(), "password": NEW_PASSWORD}
    assert (await world.client.post("/auth/reset-password", json=body)).is_success


async def change_email(world: World, _: User, headers: dict[str, str]) -> None:
    await world.client.patch("/users/me", json={"email": "rex@example.com"}, headers=headers)
    assert (await world.client.post("/auth/confirm-email", json={"token": await world.token()})).is_success


async def undo_email(world: World, arthur: User, headers: dict[str, str]) -> None:
    await change_email(world, arthur, headers)
    assert (await world.client.post("/auth/undo-email", json={"token": await world.token()})).is_success


async def by_superuser(world: World, arthur: User, **body: Any) -> None:
    _, headers = await signed_in(world, "merlin", superuser=True)
    assert (await world.client.patch(f"/users/{arthur.id}", json=body, headers=headers)).is_success


async def password_by_superuser(world: World, arthur: User, _: dict[str, str]) -> None:
    await by_superuser(world, arthur, password=NEW_PASSWORD)


async def deactivate_and_activate(world: World, arthur: User, _: dict[str, str]) -> None:
    await by_superuser(world, arthur, is_active=False)
    await world.sql('UPDATE "user" SET is_active = true')


async def end_other_sessions(world: World, _: User, headers: dict[str, str]) -> None:
    assert (await world.client.delete("/auth/sessions", headers=headers)).is_success


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (change_password, 200),
        (change_email, 200),
        (end_other_sessions, 200),
        (reset_password, 401),
        (undo_email, 401),
        (password_by_superuser, 401),
        (deactivate_and_activate, 401),
    ],
)
async def test_recovery_ends_keys_and_changes_by_the_user_do_not(world: World, event: Any, expected: int) -> None:
    arthur, headers = await signed_in(world)
    key = await world.access_key(arthur, "profile:read")

    await event(world, arthur, headers)

    assert await status(world, key) == expected


async def test_creation_and_revocation_are_recorded_and_the_user_gets_a_notice(world: World) -> None:
    arthur, headers = await signed_in(world)
    created = await create(world, headers)
    await world.client.delete(f"{PATH}/{created.json()['id']}", headers=headers)

    async with transaction(world.sessionmaker) as db:
        tokens = select(AuditEvent).where(col(AuditEvent.action).startswith("token."))
        events = (await db.exec(tokens.order_by(col(AuditEvent.id)))).all()
    assert [(event.action, event.actor_id, event.user_id) for event in events] == [
        ("token.created", arthur.id, arthur.id),
        ("token.revoked", arthur.id, arthur.id),
    ]
    assert {event.detail["token_id"] for event in events} == {created.json()["id"]}
    (mail,) = await world.mails(MailKind.TOKEN_CREATED)
    assert (mail.email, mail.detail["key_name"]) == (arthur.email, "nightly report")


async def test_the_secret_is_nowhere_but_in_the_response(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _, headers = await signed_in(world)

    created = await create(world, headers)
    token = created.json()["token"]
    await status(world, bearer(created))
    await world.client.get("/users/me/tokens", headers=bearer(created))

    async with transaction(world.sessionmaker) as db:
        rows = [repr((await db.exec(select(table))).all()) for table in (AccessKey, AuditEvent, OutboxMail)]
    secret = token[30:73]
    assert len(secret) == 43
    for text in (*rows, caplog.text, *(str(record.__dict__) for record in caplog.records)):
        assert secret not in text
