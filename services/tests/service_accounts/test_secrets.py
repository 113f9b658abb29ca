"""Client secrets: shown once, stored as hashes, limited in number and time, and revoked with their tokens."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx2 import Response
from sqlmodel import col, select

from accounts.db.session import transaction
from accounts.domain.access_keys.secret import KeyKind, parse_key
from accounts.domain.sessions.sessions import SessionManager
from accounts.models import AccessKey, AuditEvent
from support.people import PASSWORD
from support.service_accounts import Squire

BODY = {"name": "production", "scopes": ["members:read"], "expires_in_days": 30}
OLD = "UPDATE user_session SET authenticated_at = now() - interval '1 day'"


async def me(squire: Squire, token: dict[str, str]) -> int:
    return (await squire.world.client.get("/users/me", headers=token)).status_code


async def test_secret_is_shown_once_and_stored_as_a_hash(squire: Squire) -> None:
    response = await squire.ask("POST", f"/{squire.id}/secrets", json=BODY)

    created = response.json()
    secret = parse_key(created["client_secret"])
    assert secret
    assert (secret.kind, str(secret.id), created["client_id"]) == (KeyKind.SERVICE, created["id"], squire.id)
    assert response.headers["Cache-Control"] == "no-store"
    assert datetime.fromisoformat(created["expires_at"]) - datetime.now(UTC) > timedelta(29)
    async with transaction(squire.world.sessionmaker) as db:
        (stored,) = (await db.exec(select(AccessKey))).all()
    assert secret.matches(stored.secret_hash)
    listed = (await squire.ask("GET", f"/{squire.id}/secrets", "kay")).json()
    assert listed == [{name: value for name, value in created.items() if not name.startswith("client_")}]


async def test_creating_and_revoking_are_recorded_without_the_secret(squire: Squire) -> None:
    created = await squire.secret()
    await squire.ask("DELETE", f"/{squire.id}/secrets/{created['id']}", "kay")

    async with transaction(squire.world.sessionmaker) as db:
        statement = select(AuditEvent).where(col(AuditEvent.action).startswith("secret."))
        rows = (await db.exec(statement.order_by(col(AuditEvent.id)))).all()
    assert [(row.action, row.actor_id, str(row.user_id), row.group_id, row.detail) for row in rows] == [
        (
            "secret.created",
            squire.people["arthur"].id,
            squire.id,
            squire.group.id,
            {"secret_id": created["id"], "scopes": ["members:read"]},
        ),
        ("secret.revoked", squire.people["kay"].id, squire.id, squire.group.id, {"secret_id": created["id"]}),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"expires_in_days": None},
        {"expires_in_days": 0},
        {"expires_in_days": 367},
        {"scopes": []},
        {"scopes": None},
        {"scopes": ["account"]},
        {"scopes": ["groups"]},
        {"scopes": ["users:read"]},
        {"scopes": ["users:write"]},
        {"scopes": ["everything"]},
        {"name": "x" * 61},
        {"name": " "},
        {"name": None},
    ],
    ids=str,
)
async def test_endless_and_too_powerful_secrets_are_refused(squire: Squire, change: dict[str, Any]) -> None:
    body = {name: value for name, value in (BODY | change).items() if value is not None}

    response = await squire.ask("POST", f"/{squire.id}/secrets", json=body)

    assert (response.status_code, response.json()["detail"]) == (422, "REQUEST_INVALID")


class TestStepUp:
    async def test_old_sign_in_is_refused_without_the_password(self, squire: Squire) -> None:
        await squire.world.sql(OLD)

        response = await squire.ask("POST", f"/{squire.id}/secrets", json=BODY)
        wrong = await squire.ask("POST", f"/{squire.id}/secrets", json=BODY | {"current_password": "not-it"})
        right = await squire.ask("POST", f"/{squire.id}/secrets", json=BODY | {"current_password": PASSWORD})

        assert (response.status_code, response.json()["detail"]) == (403, "REAUTHENTICATION_REQUIRED")
        assert (wrong.status_code, wrong.json()["detail"]) == (400, "BAD_CURRENT_PASSWORD")
        assert right.status_code == 201

    async def test_guesses_of_the_password_are_rate_limited(self, squire: Squire) -> None:
        squire.world.change_settings(throttle_scale=1)
        guess = BODY | {"current_password": "not-the-password"}

        statuses = [(await squire.ask("POST", f"/{squire.id}/secrets", json=guess)).status_code for _ in range(6)]

        assert statuses == [400] * 5 + [429]

    async def test_secret_is_refused_if_the_caller_is_signed_out_while_the_password_is_verified(
        self, busy_squire: Squire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        passwords = busy_squire.world.passwords
        verify = passwords.verify

        async def verify_during_sign_out(password: str, hashed: str | None) -> tuple[bool, str | None]:
            await busy_squire.world.sql("DELETE FROM user_session")
            return await verify(password, hashed)

        monkeypatch.setattr(passwords, "verify", verify_during_sign_out)

        body = BODY | {"current_password": PASSWORD}
        response = await busy_squire.ask("POST", f"/{busy_squire.id}/secrets", json=body)

        assert (response.status_code, response.json()["detail"]) == (403, "REAUTHENTICATION_REQUIRED")

    async def test_no_connection_is_held_while_the_password_is_hashed(
        self, busy_squire: Squire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        held = busy_squire.world.connections_held_at(monkeypatch, "_run")

        body = BODY | {"current_password": PASSWORD}
        assert (await busy_squire.ask("POST", f"/{busy_squire.id}/secrets", json=body)).status_code == 201

        assert set(held) == {0}


class TestRotation:
    async def test_old_secret_works_until_it_is_revoked(self, squire: Squire) -> None:
        old, new = await squire.secret(), await squire.secret()

        assert [(await squire.request_token(secret)).status_code for secret in (old, new)] == [200, 200]

        assert (await squire.ask("DELETE", f"/{squire.id}/secrets/{old['id']}")).status_code == 204
        assert [(await squire.request_token(secret)).status_code for secret in (old, new)] == [401, 200]
        again = await squire.ask("DELETE", f"/{squire.id}/secrets/{old['id']}")
        assert (again.status_code, again.json()["detail"]) == (404, "SECRET_NOT_FOUND")

    async def test_revoking_ends_the_tokens_of_that_secret_alone(self, squire: Squire) -> None:
        old, new = await squire.secret("profile:read"), await squire.secret("profile:read")
        of_old, of_new = await squire.sign_in(old), await squire.sign_in(new)

        await squire.ask("DELETE", f"/{squire.id}/secrets/{old['id']}")

        assert [await me(squire, of_old), await me(squire, of_new)] == [401, 200]

    async def test_at_most_five_are_valid_also_in_a_race(self, busy_squire: Squire) -> None:
        path = f"/{busy_squire.id}/secrets"
        responses = await asyncio.gather(*[busy_squire.ask("POST", path, json=BODY) for _ in range(8)])

        assert sorted(response.status_code for response in responses) == [201] * 5 + [409] * 3
        assert {response.json().get("detail") for response in responses} == {None, "TOO_MANY_SECRETS"}
        await busy_squire.world.sql(
            "UPDATE access_key SET expires_at = now() WHERE id = (SELECT min(id::text)::uuid FROM access_key)"
        )
        assert [(await busy_squire.ask("POST", path, json=BODY)).status_code for _ in range(2)] == [201, 409]

    async def test_secret_of_another_account_is_not_found(self, squire: Squire) -> None:
        other = await squire.create("Page")
        secret = await squire.secret(account_id=other)

        response = await squire.ask("DELETE", f"/{squire.id}/secrets/{secret['id']}")

        assert (response.status_code, response.json()["detail"]) == (404, "SECRET_NOT_FOUND")


async def test_use_is_stored_at_most_once_a_minute(squire: Squire) -> None:
    secret = await squire.secret()

    async def last_used() -> tuple[datetime | None, str]:
        (row,) = (await squire.ask("GET", f"/{squire.id}/secrets")).json()
        return row["last_used_at"], row["last_used_address"]

    assert await last_used() == (None, "")
    await squire.request_token(secret)
    first = await last_used()
    await squire.world.sql("UPDATE access_key SET last_used_at = last_used_at - interval '50 seconds'")
    await squire.request_token(secret)
    assert (await last_used())[0] != first[0]
    await squire.world.sql("UPDATE access_key SET last_used_at = last_used_at - interval '50 seconds'")
    await squire.request_token(secret)
    assert first == await last_used()


async def test_token_that_is_requested_while_its_secret_is_revoked_does_not_outlive_it(busy_squire: Squire) -> None:
    """Whichever comes first, no token of the secret is left."""
    secret = await busy_squire.secret("profile:read")

    async def revoke() -> Response:
        return await busy_squire.ask("DELETE", f"/{busy_squire.id}/secrets/{secret['id']}")

    responses = await asyncio.gather(
        *[busy_squire.request_token(secret) for _ in range(6)],
        revoke(),
        *[busy_squire.request_token(secret) for _ in range(6)],
    )

    assert {response.status_code for response in responses} in ({200, 204}, {200, 204, 401}, {204, 401})
    tokens = [response.json()["access_token"] for response in responses if response.status_code == 200]
    assert {await me(busy_squire, {"Authorization": f"Bearer {token}"}) for token in tokens} <= {401}


async def test_a_superuser_revokes_all_secrets_with_the_tokens_that_were_issued_for_them(squire: Squire) -> None:
    secret = await squire.secret("profile:read")
    token = await squire.sign_in(secret)
    superuser = await squire.world.sign_in(await squire.world.user("merlin", superuser=True))
    assert (await squire.world.client.get("/users/me", headers=token)).status_code == 200

    answer = await squire.world.client.delete(f"/users/{squire.id}/tokens", headers=superuser)

    assert answer.status_code == 204
    assert (await squire.world.client.get("/users/me", headers=token)).status_code == 401
    assert (await squire.request_token(secret)).status_code == 401


async def test_token_that_is_requested_while_a_superuser_revokes_all_secrets_does_not_outlive_them(
    busy_squire: Squire, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = await busy_squire.secret("profile:read")
    requests: list[asyncio.Task[Response]] = []
    revoke_all = SessionManager.revoke_all

    async def revoke_all_and_request(*args: Any) -> int:
        ended = await revoke_all(*args)
        requests.append(asyncio.create_task(busy_squire.request_token(secret)))
        await asyncio.wait(requests, timeout=0.3)  # the secret may be locked
        return ended

    monkeypatch.setattr(SessionManager, "revoke_all", revoke_all_and_request)
    path, superuser = f"/users/{busy_squire.id}/tokens", busy_squire.headers["morgana"]

    assert (await busy_squire.world.client.delete(path, headers=superuser)).status_code == 204

    [request] = requests
    assert (await request).status_code == 401
    assert (await busy_squire.request_token(secret)).status_code == 401
