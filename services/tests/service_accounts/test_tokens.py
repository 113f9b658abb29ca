"""The token endpoint: OAuth 2.0's client credentials grant (RFC 6749, 4.4), for service accounts."""

import asyncio
import uuid
from base64 import b64encode
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import jwt
import pytest
from httpx2 import Response
from sqlmodel import col, select

from accounts.api.session_cookie import COOKIE
from accounts.db.session import transaction
from accounts.domain import errors
from accounts.domain.access_keys.secret import KeyKind, KeySecret, parse_key
from accounts.domain.retention import delete_expired
from accounts.domain.service_accounts.tokens import authenticate_client, start_session
from accounts.domain.sessions.assurance import BY_PASSWORD
from accounts.domain.sessions.session_token import SessionToken
from accounts.domain.sessions.sessions import SessionManager
from accounts.models import SessionKind, User, UserSession
from support.people import PASSWORD, World
from support.service_accounts import GRANT, TOKEN, Squire, basic


def assert_error(response: Response, status: int, error: str) -> None:
    assert (response.status_code, response.json()["error"]) == (status, error), response.text
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    challenge = response.headers.get("WWW-Authenticate")
    assert challenge == ('Basic realm="accounts"' if status == 401 else None)


async def sessions(world: World) -> list[UserSession]:
    async with transaction(world.sessionmaker) as db:
        return list((await db.exec(select(UserSession).where(col(UserSession.kind) == "service"))).all())


class TestGrant:
    @pytest.mark.parametrize(
        "encode", [str, quote_plus, lambda text: "".join(f"%{byte:02x}" for byte in text.encode())]
    )
    async def test_secret_by_http_basic(self, squire: Squire, encode: Any) -> None:
        secret = await squire.secret("profile:read", "members:read")

        response = await squire.world.client.post(
            TOKEN, data=GRANT, headers=basic(encode(secret["client_id"]), encode(secret["client_secret"]))
        )

        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert {name: type(value) for name, value in response.json().items()} == {
            "access_token": str, "token_type": str, "expires_in": int, "scope": str,
        }  # fmt: skip
        assert (response.json()["token_type"], response.json()["scope"]) == ("bearer", "members:read profile:read")

    async def test_secret_in_the_form(self, squire: Squire) -> None:
        token = await squire.sign_in(await squire.secret("profile:read"))

        me = await squire.world.client.get("/users/me", headers=token)

        assert (me.json()["id"], me.json()["display_name"]) == (squire.id, "Squire")

    async def test_claims_name_the_account_as_user_and_client(self, squire: Squire) -> None:
        response = await squire.request_token(
            await squire.secret("members:read", "members:write"), scope="members:read"
        )

        claims = jwt.decode(response.json()["access_token"], options={"verify_signature": False})
        (session,) = await sessions(squire.world)
        assert (claims["sub"], claims["client_id"], claims["scope"]) == (squire.id, squire.id, "members:read")
        assert claims["sid"] == str(session.id)
        assert claims["acr"] == "aal1"
        assert claims.keys().isdisjoint({"auth_time", "amr", "groups"})

    async def test_session_has_the_granted_scopes_and_the_tokens_lifetime(self, squire: Squire) -> None:
        await squire.request_token(await squire.secret("members:read", "members:write"), scope="members:write")

        (session,) = await sessions(squire.world)
        assert session.scopes == ["members:write"]
        assert session.expires_at - session.created_at == timedelta(minutes=15)
        assert str(session.user_id) == squire.id

    async def test_client_id_in_the_form_may_repeat_that_of_the_header(self, squire: Squire) -> None:
        secret = await squire.secret()
        header = basic(secret["client_id"], secret["client_secret"])

        same = await squire.world.client.post(TOKEN, data=GRANT | {"client_id": squire.id}, headers=header)
        other = await squire.world.client.post(TOKEN, data=GRANT | {"client_id": "other"}, headers=header)

        assert same.status_code == 200
        assert_error(other, 401, "invalid_client")


class TestRefusals:
    @pytest.mark.parametrize(
        ("form", "error"),
        [
            ({"grant_type": "password"}, "unsupported_grant_type"),
            ({"grant_type": "refresh_token"}, "unsupported_grant_type"),
            ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
            ({"grant_type": "nonsense"}, "unsupported_grant_type"),
            ({"grant_type": ""}, "invalid_request"),
            ({}, "invalid_request"),
            (GRANT | {"scope": "members:write"}, "invalid_scope"),
            (GRANT | {"scope": "members:read account"}, "invalid_scope"),
            (GRANT | {"scope": "members:read,profile:read"}, "invalid_scope"),
            (GRANT | {"scope": "\x00"}, "invalid_scope"),
            (GRANT | {"scope": "x" * 1001}, "invalid_scope"),
            (GRANT | {"scope": ["members:read", "members:read"]}, "invalid_request"),
            ({"grant_type": ["client_credentials", "client_credentials"]}, "invalid_request"),
        ],
        ids=str,
    )
    async def test_parameters(self, squire: Squire, form: dict[str, Any], error: str) -> None:
        secret = await squire.secret("members:read")
        header = basic(secret["client_id"], secret["client_secret"])

        assert_error(await squire.world.client.post(TOKEN, data=form, headers=header), 400, error)
        assert await sessions(squire.world) == []

    async def test_secret_in_header_and_form(self, squire: Squire) -> None:
        secret = await squire.secret()
        header = basic(secret["client_id"], secret["client_secret"])
        form = GRANT | {"client_id": secret["client_id"], "client_secret": secret["client_secret"]}

        response = await squire.world.client.post(TOKEN, data=form, headers=header)

        assert_error(response, 400, "invalid_request")
        assert secret["client_secret"] not in response.text

    @pytest.mark.parametrize(
        "header",
        [
            "Basic",
            "Basic !!!",
            f"Basic {b64encode(b'without a colon').decode()}",
            f"Basic {b64encode(b'not:utf-8\xff').decode()}",
            f"Basic {b64encode(b'a:b').decode()}x",
            "Bearer abc",
            "Basic ü",
        ],
    )
    async def test_malformed_header(self, squire: Squire, header: str) -> None:
        response = await squire.world.client.post(TOKEN, data=GRANT, headers=[(b"Authorization", header.encode())])

        assert_error(response, 401, "invalid_client")

    @pytest.mark.parametrize(
        "change",
        [
            {"client_id": str(uuid.UUID(int=1))},
            {"client_id": "squire"},
            {"client_id": None},
            {"client_secret": None},
            {"client_secret": "acc_svc_nonsense"},
            {"client_secret": str(KeySecret.create(KeyKind.SERVICE, uuid.UUID(int=1)))},
        ],
        ids=["unknown id", "no id", "missing id", "missing secret", "malformed secret", "unknown secret"],
    )
    async def test_unknown_clients(self, squire: Squire, change: dict[str, Any]) -> None:
        form = GRANT | await squire.secret() | change
        form = {name: form[name] for name in ("grant_type", "client_id", "client_secret") if form[name] is not None}

        assert_error(await squire.world.client.post(TOKEN, data=form), 401, "invalid_client")

    async def test_other_secret_under_the_id_of_a_valid_one(self, squire: Squire) -> None:
        secret = await squire.secret()
        forged = str(KeySecret.create(KeyKind.SERVICE, uuid.UUID(secret["id"])))
        personal = str(KeySecret.create(KeyKind.PERSONAL, uuid.UUID(secret["id"])))

        for text in (forged, personal):
            assert_error(await squire.request_token(secret | {"client_secret": text}), 401, "invalid_client")

    async def test_secret_of_another_account(self, squire: Squire) -> None:
        secret = await squire.secret(account_id=await squire.create("Page"))

        assert_error(await squire.request_token(secret | {"client_id": squire.id}), 401, "invalid_client")

    async def test_expired_secret(self, squire: Squire) -> None:
        secret = await squire.secret()
        await squire.world.sql("UPDATE access_key SET expires_at = now()")

        assert_error(await squire.request_token(secret), 401, "invalid_client")

    async def test_key_of_a_person(self, squire: Squire) -> None:
        """Also if its prefix says otherwise, which the checksum allows."""
        secret = KeySecret.create(KeyKind.SERVICE, uuid.UUID(int=7))
        arthur = squire.people["arthur"]
        await squire.world.sql(
            "INSERT INTO access_key (id, user_id, name, secret_hash, scopes, expires_at) VALUES "  # noqa: S608  # no input
            f"('{secret.id}', '{arthur.id}', '', '\\x{secret.hash.hex()}', '{{}}', now() + interval '1 day')"
        )

        response = await squire.request_token({"client_id": str(arthur.id), "client_secret": str(secret)})

        assert_error(response, 401, "invalid_client")

    async def test_unknown_and_known_clients_take_the_same_statements(self, squire: Squire) -> None:
        secret = await squire.secret()
        forged = str(KeySecret.create(KeyKind.SERVICE, uuid.UUID(secret["id"])))
        async with transaction(squire.world.sessionmaker) as db:
            for client_id, text in ((squire.id, forged), (str(uuid.UUID(int=1)), forged), ("", "nonsense")):
                with pytest.raises(errors.InvalidClient):
                    await authenticate_client(db, client_id, text)
            user, key = await authenticate_client(db, squire.id, secret["client_secret"])
        assert (str(user.id), str(key.id)) == (squire.id, secret["id"])


class TestNoSignIn:
    async def test_it_has_no_password(self, squire: Squire) -> None:
        secret = await squire.secret()

        for password in ("!", "", secret["client_secret"], PASSWORD):
            response = await squire.world.login(f"{squire.id}@service.invalid", password)
            assert response.json()["error"] in {"invalid_grant", "invalid_request"}

    async def test_no_way_of_signing_in_starts_a_session_of_a_person(self, squire: Squire) -> None:
        async with transaction(squire.world.sessionmaker) as db:
            account = await db.get_one(User, uuid.UUID(squire.id))
            for kind in (SessionKind.BEARER, SessionKind.COOKIE):
                with pytest.raises(errors.LoginBadCredentials):
                    await SessionManager(db, squire.world.state["settings"]).start(account, kind, BY_PASSWORD)

    async def test_secret_is_no_bearer_token(self, squire: Squire) -> None:
        secret = await squire.secret("profile:read")

        response = await squire.world.client.get(
            "/users/me", headers={"Authorization": f"Bearer {secret['client_secret']}"}
        )

        assert response.status_code == 401


class TestLimits:
    async def test_attempts_are_limited_by_network_only(self, squire: Squire) -> None:
        """A flood for one client id does not lock the real service out."""
        squire.world.change_settings(throttle_scale=0.01)
        secret = await squire.secret()
        flood = secret | {"client_secret": "acc_svc_nonsense"}

        statuses = [(await squire.request_token(flood)).status_code for _ in range(4)]
        limited = await squire.request_token(secret)
        async with squire.world.client_at("203.0.113.7") as elsewhere:
            form = GRANT | {name: secret[name] for name in ("client_id", "client_secret")}
            assert (await elsewhere.post(TOKEN, data=form)).status_code == 200

        assert statuses == [401] * 3 + [429]
        assert_error(limited, 429, "temporarily_unavailable")

    async def test_an_account_gets_a_limited_number_of_tokens_and_none_ends_early_in_a_race(
        self, busy_squire: Squire
    ) -> None:
        secret = await busy_squire.secret("profile:read")
        world = busy_squire.world
        form = GRANT | {name: secret[name] for name in ("client_id", "client_secret")}

        async def replica(number: int) -> Response:
            async with world.client_at(f"198.51.{number}.1") as client:
                return await client.post(TOKEN, data=form)

        many = await asyncio.gather(*map(replica, range(30)))
        world.change_settings(throttle_scale=0.005)  # five tokens an hour
        await world.sql("DELETE FROM throttle")
        few = await asyncio.gather(*map(replica, range(12)))

        assert {response.status_code for response in many} == {200}
        assert sorted(response.status_code for response in few) == [200] * 5 + [429] * 7
        headers = [{"Authorization": f"Bearer {response.json()['access_token']}"} for response in many]
        alive = await asyncio.gather(*[world.client.get("/users/me", headers=each) for each in headers])
        assert {response.status_code for response in alive} == {200}  # more than a person's twenty

    async def test_limit_of_one_account_is_not_that_of_another(self, squire: Squire) -> None:
        secret, other = await squire.secret(), await squire.secret(account_id=await squire.create("Page"))
        squire.world.change_settings(throttle_scale=0.001)
        await squire.world.sql("DELETE FROM throttle")
        assert (await squire.request_token(secret)).status_code == 200
        async with squire.world.client_at("203.0.113.7") as elsewhere:
            statuses = []
            for each in (secret, other):
                await squire.world.sql("DELETE FROM throttle WHERE key LIKE 'client-%'")
                form = GRANT | {name: each[name] for name in ("client_id", "client_secret")}
                statuses.append((await elsewhere.post(TOKEN, data=form)).status_code)
        assert statuses == [429, 200]


async def test_expired_sessions_are_deleted(squire: Squire) -> None:
    await squire.request_token(await squire.secret())
    await squire.world.sql("UPDATE user_session SET expires_at = now() - interval '1 minute' WHERE kind = 'service'")

    async with squire.world.owner() as db:
        await delete_expired(db, squire.world.state["settings"])

    assert await sessions(squire.world) == []


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM access_key",
        "UPDATE access_key SET expires_at = now()",
        'UPDATE "user" SET is_active = false WHERE owner_group_id IS NOT NULL',
        'DELETE FROM "user" WHERE owner_group_id IS NOT NULL',
    ],
)
async def test_token_is_refused_if_the_client_changes_after_it_was_authenticated(squire: Squire, change: str) -> None:
    secret = await squire.secret()
    async with transaction(squire.world.sessionmaker) as db:
        _, key = await authenticate_client(db, squire.id, secret["client_secret"])
    await squire.world.sql(change)

    async with transaction(squire.world.sessionmaker) as db:
        with pytest.raises(errors.InvalidClient):
            await start_session(db, key, ["members:read"], timedelta(minutes=15))


async def test_service_session_is_neither_refreshed_nor_used_as_a_cookie(squire: Squire) -> None:
    secret = await squire.secret()
    await squire.request_token(secret)
    (session,) = await sessions(squire.world)
    key = parse_key(secret["client_secret"])
    assert key
    assert session.token_hash == key.hash
    forged = str(SessionToken(session.id, key.secret))

    refreshed = await squire.world.client.post("/auth/jwt/refresh", data={"refresh_token": forged})
    me = await squire.world.client.get("/users/me", headers={"Cookie": f"{COOKIE}={forged}"})

    assert (refreshed.status_code, refreshed.json()["detail"]) == (400, "REFRESH_BAD_TOKEN")
    assert me.status_code == 401
