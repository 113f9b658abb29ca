"""Sessions: access tokens, refresh, revocation, the list, and cookies."""

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from secrets import token_bytes
from typing import Any

import jwt
import pytest
from httpx2 import AsyncClient, Response
from pydantic import SecretStr
from sqlalchemy import event
from sqlmodel import select

from accounts.db.session import transaction
from accounts.domain.sessions.assurance import BY_PASSWORD
from accounts.domain.sessions.sessions import SessionManager
from accounts.models import AuditEvent, SessionKind
from accounts.settings import get_settings
from support.people import PASSWORD, World
from support.schema import recorded_statements

NEW_PASSWORD = "a-sword-in-a-stone"


async def refresh(world: World, token: str) -> Response:
    return await world.client.post("/auth/jwt/refresh", data={"grant_type": "refresh_token", "refresh_token": token})


async def tokens(world: World, name: str = "arthur") -> dict[str, Any]:
    answer: dict[str, Any] = (await world.login(f"{name}@camelot.example.com")).json()
    return answer


def bearer(answer: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer['access_token']}"}


async def me(world: World, headers: dict[str, str]) -> int:
    return (await world.client.get("/users/me", headers=headers)).status_code


async def test_session_is_started_and_recorded_by_one_statement_after_the_lock(world: World) -> None:
    arthur = await world.user("arthur")

    async with transaction(world.sessionmaker) as db, recorded_statements(db) as ran:
        await SessionManager(db, get_settings()).start(arthur, SessionKind.BEARER, BY_PASSWORD)

    assert len(ran) == 2, ran


class TestAccessToken:
    async def test_access_token_names_its_session_and_expiry(self, world: World) -> None:
        arthur = await world.user("arthur")

        answer = await tokens(world)

        claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
        assert set(claims) == {
            "iss", "aud", "sub", "client_id", "sid", "jti", "iat", "exp", "scope", "auth_time", "acr", "amr",
        }  # fmt: skip
        assert (claims["sub"], claims["iss"], claims["aud"]) == (str(arthur.id), "http://localhost:8000", "accounts")
        assert claims["exp"] - claims["iat"] == answer["expires_in"] == 900
        assert jwt.get_unverified_header(answer["access_token"])["kid"]

    async def test_tokens_are_rejected_after_session_expiry(self, world: World) -> None:
        await world.user("arthur")
        answer = await tokens(world)

        await world.sql("UPDATE user_session SET expires_at = now() - interval '1 second'")

        assert await me(world, bearer(answer)) == 401
        assert (await refresh(world, answer["refresh_token"])).status_code == 400

    async def test_tokens_are_rejected_after_session_idle_timeout(self, world: World) -> None:
        await world.user("arthur")
        answer = await tokens(world)

        await world.sql("UPDATE user_session SET last_seen_at = now() - interval '15 days'")

        assert await me(world, bearer(answer)) == 401
        assert (await refresh(world, answer["refresh_token"])).status_code == 400

    async def test_access_token_with_another_users_session_is_rejected(self, world: World) -> None:
        await world.user("arthur")
        mordred = await world.user("mordred")
        session_id = jwt.decode((await tokens(world))["access_token"], options={"verify_signature": False})["sid"]

        forged = world.state["keys"].sign(mordred.id, session_id)

        assert await me(world, {"Authorization": f"Bearer {forged}"}) == 401


class TestRefresh:
    async def test_refresh_returns_new_tokens_that_caches_must_not_store(self, world: World) -> None:
        await world.user("arthur")
        first = await tokens(world)

        response = await refresh(world, first["refresh_token"])

        second = response.json()
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert second["refresh_token"] != first["refresh_token"]
        assert await me(world, bearer(second)) == 200

    async def test_second_use_within_grace_returns_the_same_successor(self, world: World) -> None:
        await world.user("arthur")
        first = await tokens(world)

        one, two = [(await refresh(world, first["refresh_token"])).json() for _ in range(2)]

        assert one["refresh_token"] == two["refresh_token"]
        assert await me(world, bearer(two)) == 200

    async def test_second_use_returns_the_same_successor_across_a_key_rotation(self, world: World) -> None:
        await world.user("arthur")
        first = await tokens(world)
        one = (await refresh(world, first["refresh_token"])).json()

        old = world.state["settings"].secret_key.get_secret_value()
        keys = SecretStr(f"a newer secret of the tests which is long enough,{old}")
        world.change_settings(secret_key=keys)
        two = (await refresh(world, first["refresh_token"])).json()

        assert one["refresh_token"] == two["refresh_token"]

    async def test_twenty_concurrent_refreshes_get_the_same_successor(self, busy_world: World) -> None:
        await busy_world.user("arthur")
        first = await tokens(busy_world)

        responses = await asyncio.gather(*(refresh(busy_world, first["refresh_token"]) for _ in range(20)))

        assert {each.status_code for each in responses} == {200}
        assert len({each.json()["refresh_token"] for each in responses}) == 1

    async def test_refresh_needs_no_connection_after_the_token_was_used(self, busy_world: World) -> None:
        """It might have to wait for one in vain, and later the client's retry would count as reuse."""
        await busy_world.user("arthur")
        form = {"username": "arthur@camelot.example.com", "password": PASSWORD, "scope": "groups"}
        first = (await busy_world.client.post("/auth/jwt/login", data=form)).json()["refresh_token"]
        taken: list[object] = []
        event.listen(busy_world.sessionmaker.kw["bind"].sync_engine.pool, "checkout", lambda *each: taken.append(each))

        second = await refresh(busy_world, first)

        assert (second.status_code, second.json()["scope"]) == (200, "account groups")
        assert len(taken) == 2  # to count the attempt, and to use the token

    async def test_reuse_of_a_refresh_token_ends_the_session(self, world: World) -> None:
        await world.user("arthur")
        first = await tokens(world)
        second = (await refresh(world, first["refresh_token"])).json()
        await world.sql("UPDATE user_session SET rotated_at = now() - interval '11 seconds'")

        reused = await refresh(world, first["refresh_token"])

        assert (reused.status_code, reused.json()["detail"]) == (400, "REFRESH_TOKEN_REUSED")
        assert await me(world, bearer(second)) == 401
        assert (await refresh(world, second["refresh_token"])).json()["detail"] == "REFRESH_BAD_TOKEN"
        assert await actions(world) >= {"refresh.reused"}

    async def test_invented_refresh_token_does_not_end_the_session(self, world: World) -> None:
        await world.user("arthur")
        issued = await tokens(world)
        session_id = urlsafe_b64decode(issued["refresh_token"])[:16]  # an access token shows it, too

        for secret in (bytes(32), token_bytes(32)):
            invented = await refresh(world, urlsafe_b64encode(session_id + secret).decode())
            assert (invented.status_code, invented.json()["detail"]) == (400, "REFRESH_BAD_TOKEN")

        assert (await refresh(world, issued["refresh_token"])).status_code == 200

    async def test_token_before_the_last_is_reuse_even_within_grace(self, world: World) -> None:
        await world.user("arthur")
        first = await tokens(world)
        second = (await refresh(world, first["refresh_token"])).json()
        await refresh(world, second["refresh_token"])

        assert (await refresh(world, first["refresh_token"])).json()["detail"] == "REFRESH_TOKEN_REUSED"

    @pytest.mark.parametrize("token", ["x", "A" * 64, "ü", "A" * 1001, "", "A" * 63 + "\n"])
    async def test_malformed_refresh_token_is_refused(self, world: World, token: str) -> None:
        assert (await refresh(world, token)).status_code in {400, 422}

    async def test_inactive_user_cannot_refresh(self, world: World) -> None:
        await world.user("arthur")
        first = await tokens(world)

        await world.sql('UPDATE "user" SET is_active = false')

        assert (await refresh(world, first["refresh_token"])).status_code == 400

    async def test_access_token_and_cookie_cannot_refresh_nor_a_refresh_token_authenticate(self, world: World) -> None:
        await world.user("arthur")
        first = await tokens(world)
        await cookie_login(world)
        (cookie,) = world.client.cookies.values()
        world.client.cookies.clear()

        for token in (first["access_token"], cookie):
            assert (await refresh(world, token)).status_code == 400
        assert await me(world, {"Authorization": f"Bearer {first['refresh_token']}"}) == 401


class TestRevocation:
    async def test_sign_out_ends_only_the_current_session(self, world: World) -> None:
        await world.user("arthur")
        here, there = await tokens(world), await tokens(world)

        assert (await world.client.post("/auth/jwt/logout", headers=bearer(here))).status_code == 204

        assert await me(world, bearer(here)) == 401
        assert (await refresh(world, here["refresh_token"])).status_code == 400
        assert await me(world, bearer(there)) == 200

    async def test_user_revokes_another_own_session(self, world: World) -> None:
        await world.user("arthur")
        here, there = await tokens(world), await tokens(world)

        listed = (await world.client.get("/auth/sessions", headers=bearer(here))).json()
        (other,) = [each["id"] for each in listed if not each["current"]]
        response = await world.client.delete(f"/auth/sessions/{other}", headers=bearer(here))

        assert response.status_code == 204
        assert (await me(world, bearer(here)), await me(world, bearer(there))) == (200, 401)

    async def test_user_revokes_all_other_own_sessions(self, world: World) -> None:
        await world.user("arthur")
        here, *others = [await tokens(world) for _ in range(3)]

        assert (await world.client.delete("/auth/sessions", headers=bearer(here))).status_code == 204

        assert await me(world, bearer(here)) == 200
        assert [await me(world, bearer(other)) for other in others] == [401, 401]

    async def test_user_cannot_revoke_another_users_session(self, world: World) -> None:
        await world.user("arthur")
        await world.user("mordred")
        arthur, mordred = await tokens(world), await tokens(world, "mordred")
        (session,) = (await world.client.get("/auth/sessions", headers=bearer(arthur))).json()

        response = await world.client.delete(f"/auth/sessions/{session['id']}", headers=bearer(mordred))

        assert (response.status_code, response.json()["detail"]) == (404, "SESSION_NOT_FOUND")
        assert await me(world, bearer(arthur)) == 200

    async def test_least_recently_seen_session_ends_beyond_the_limit(self, world: World) -> None:
        await world.user("arthur")
        world.change_settings(sessions_per_user=2)

        first, second, third = [await tokens(world) for _ in range(3)]

        assert [await me(world, bearer(each)) for each in (first, second, third)] == [401, 200, 200]

    async def test_sign_in_is_refused_if_the_password_changes_concurrently(
        self, busy_world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The password is correct when it is verified, and changed before the session starts."""
        arthur = await busy_world.user("arthur")
        verify = busy_world.passwords.verify

        async def verify_during_change(password: str, hashed: str | None) -> tuple[bool, str | None]:
            result = await verify(password, hashed)
            await busy_world.sql("UPDATE \"user\" SET hashed_password = 'another'")
            return result

        monkeypatch.setattr(busy_world.passwords, "verify", verify_during_change)

        assert (await busy_world.login(arthur)).json()["detail"] == "LOGIN_BAD_CREDENTIALS"


class TestList:
    async def test_list_shows_device_client_and_expiry(self, world: World) -> None:
        await world.user("arthur")
        world.client.headers["User-Agent"] = "Excalibur/1.0 \x7f" + "x" * 500
        answer = await tokens(world)

        (session,) = (await world.client.get("/auth/sessions", headers=bearer(answer))).json()

        assert session["current"] is True
        assert session["kind"] == "bearer"
        assert session["user_agent"] == ("Excalibur/1.0 " + "x" * 500)[:300]
        assert session["address"] == "127.0.0.1"
        expiry = datetime.fromisoformat(session["expires_at"])
        assert timedelta(days=89) < expiry - datetime.now(UTC) < timedelta(days=91)
        assert set(session) == {
            "id", "kind", "created_at", "last_seen_at", "expires_at", "user_agent", "address", "current",
        }  # fmt: skip

    async def test_list_requires_authentication(self, client: AsyncClient) -> None:
        assert (await client.get("/auth/sessions")).status_code == 401


async def cookie_login(world: World, **headers: str) -> Response:
    form = {"username": "arthur@camelot.example.com", "password": PASSWORD}
    return await world.client.post("/auth/cookie/login", data=form, headers=headers)


class TestCookie:
    @pytest.fixture
    def client(self, world: World) -> AsyncClient:
        world.client.base_url = "https://testserver"
        return world.client

    async def test_cookie_is_http_only_secure_and_bound_to_the_host(self, client: AsyncClient, world: World) -> None:
        await world.user("arthur")

        response = await cookie_login(world)

        cookie = response.headers["Set-Cookie"]
        assert (response.status_code, response.headers["Cache-Control"]) == (204, "no-store")
        assert cookie.startswith("__Host-accounts=")
        assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
        assert (await client.get("/users/me")).status_code == 200

    async def test_cookie_is_rejected_after_sign_out(self, client: AsyncClient, world: World) -> None:
        await world.user("arthur")
        await cookie_login(world)
        (cookie,) = client.cookies.values()

        response = await client.post("/auth/cookie/logout")

        assert (response.status_code, response.headers["Set-Cookie"].split(";")[0]) == (204, '__Host-accounts=""')
        assert (await client.get("/users/me", headers={"Cookie": f"__Host-accounts={cookie}"})).status_code == 401

    @pytest.mark.parametrize("cookie", ["", "x", "A" * 64, "ü"])
    async def test_malformed_cookie_is_rejected(self, client: AsyncClient, cookie: str) -> None:
        headers = {b"Cookie": f"__Host-accounts={cookie}".encode()}

        assert (await client.get("/users/me", headers=headers)).status_code == 401

    async def test_use_of_a_cookie_updates_last_seen(self, client: AsyncClient, world: World) -> None:
        await world.user("arthur")
        await cookie_login(world)
        await world.sql("UPDATE user_session SET last_seen_at = now() - interval '2 days'")

        await client.get("/users/me")
        (session,) = (await client.get("/auth/sessions")).json()

        assert datetime.now(UTC) - datetime.fromisoformat(session["last_seen_at"]) < timedelta(minutes=1)

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({}, 200),
            ({"Origin": "https://testserver"}, 200),
            ({"Origin": "http://localhost:8000", "Sec-Fetch-Site": "cross-site"}, 200),
            ({"Sec-Fetch-Site": "same-origin"}, 200),
            ({"Sec-Fetch-Site": "none"}, 200),
            ({"Sec-Fetch-Site": "same-site"}, 403),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"Origin": "https://evil.example"}, 403),
            ({"Origin": "null"}, 403),
        ],
    )
    async def test_cookie_does_not_authenticate_changes_from_other_sites(
        self, client: AsyncClient, world: World, headers: dict[str, str], status: int
    ) -> None:
        await world.user("arthur")
        await cookie_login(world)

        response = await client.patch("/users/me", json={"display_name": "Rex"}, headers=headers)

        assert response.status_code == status
        if status == 403:
            assert response.json()["detail"] == "CROSS_SITE"

    async def test_cookie_in_a_second_header_is_guarded_too(self, client: AsyncClient, world: World) -> None:
        await world.user("arthur")
        await cookie_login(world)
        (session,) = [f"__Host-accounts={cookie.value}" for cookie in client.cookies.jar]
        client.cookies.clear()
        headers = [("Cookie", "theme=dark"), ("Cookie", session)]

        own = await client.patch("/users/me", json={}, headers=headers)
        foreign = await client.patch("/users/me", json={}, headers=[*headers, ("Sec-Fetch-Site", "cross-site")])

        assert (own.status_code, foreign.status_code) == (200, 403)

    async def test_other_sites_cannot_sign_in_with_a_cookie(self, world: World) -> None:
        await world.user("arthur")

        assert (await cookie_login(world, **{"Sec-Fetch-Site": "cross-site"})).status_code == 403

    async def test_bearer_tokens_work_from_other_origins(self, world: World) -> None:
        await world.user("arthur")
        headers = bearer(await tokens(world)) | {"Origin": "https://app.example"}

        assert (await world.client.patch("/users/me", json={}, headers=headers)).status_code == 200


async def actions(world: World) -> set[str]:
    async with world.sessionmaker() as db:
        return set((await db.exec(select(AuditEvent.action))).all())
