"""Registration, sign-in, sign-out, verification and password reset."""

import asyncio

import jwt
import pytest
from httpx2 import AsyncClient
from pwdlib.hashers.bcrypt import BcryptHasher

from accounts.api.exception_handlers import REFUSED
from accounts.db.session import Sessionmaker
from accounts.models import MailKind, Purpose
from accounts.settings import get_settings
from conftest import world_of
from support.people import PASSWORD, World
from support.processes import SECRET

ARTHUR = {"email": "king.arthur@camelot.example.com", "password": PASSWORD, "display_name": "Arthur"}
NEW_PASSWORD = "a-sword-in-a-stone"


class TestRegister:
    async def test_registration_creates_an_unprivileged_user(self, client: AsyncClient) -> None:
        response = await client.post("/auth/register", json=ARTHUR | {"is_superuser": True, "is_verified": True})

        assert response.status_code == 201
        user = response.json()
        assert (user["email"], user["display_name"]) == (ARTHUR["email"], "Arthur")
        assert (user["is_active"], user["is_superuser"], user["is_verified"]) == (True, False, False)
        assert PASSWORD not in response.text
        assert "hash" not in response.text

    @pytest.mark.parametrize("email", [ARTHUR["email"], "King.ARTHUR@camelot.example.com"])
    async def test_only_mail_reveals_that_an_email_is_taken(
        self, client: AsyncClient, world: World, email: str
    ) -> None:
        first = await client.post("/auth/register", json=ARTHUR)
        again = await client.post("/auth/register", json=ARTHUR | {"email": email, "password": NEW_PASSWORD})

        ids = first.json().pop("id"), again.json().pop("id")
        bodies = [{**each.json(), "id": "", "email": "", "created_at": "", "updated_at": ""} for each in (first, again)]
        assert (first.status_code, again.status_code, again.json()["email"]) == (201, 201, email)
        assert bodies[0] == bodies[1]
        assert ids[0] != ids[1]
        assert first.headers.keys() == again.headers.keys()
        assert [mail[:2] for mail in await world.mails()] == [
            (MailKind.VERIFY, ARTHUR["email"]), (MailKind.ACCOUNT_EXISTS, ARTHUR["email"]),
        ]  # fmt: skip
        assert (await world.login(ARTHUR["email"], NEW_PASSWORD)).status_code == 400

    async def test_registration_mails_a_token_that_verifies_the_email(self, client: AsyncClient, world: World) -> None:
        await client.post("/auth/register", json=ARTHUR)

        response = await client.post("/auth/verify", json={"token": await world.token()})

        assert (response.status_code, response.json()["is_verified"]) == (200, True)

    async def test_refused_registration_sends_no_mail(self, client: AsyncClient, world: World) -> None:
        await client.post("/auth/register", json=ARTHUR | {"password": "short"})

        assert await world.mails() == []

    async def test_concurrent_registrations_of_one_email_create_one_user(self, busy_world: World) -> None:
        spellings = [
            ARTHUR["email"],
            ARTHUR["email"].upper(),
            ARTHUR["email"].title(),
            "KING.arthur@Camelot.example.com",
        ]

        responses = await asyncio.gather(
            *(busy_world.client.post("/auth/register", json=ARTHUR | {"email": each}) for each in spellings * 5)
        )

        assert [response.status_code for response in responses] == [201] * 20
        kinds = sorted(mail.kind for mail in await busy_world.mails())
        assert kinds == [MailKind.ACCOUNT_EXISTS] * 19 + [MailKind.VERIFY]
        assert (await busy_world.login(ARTHUR["email"])).status_code == 200

    @pytest.mark.parametrize("password", ["a", "eleven char"])
    async def test_short_password_is_refused_with_a_reason(self, client: AsyncClient, password: str) -> None:
        response = await client.post("/auth/register", json=ARTHUR | {"password": password})

        assert response.status_code == 400
        assert response.json()["detail"] == "REGISTER_INVALID_PASSWORD"
        assert "12" in response.json()["reason"]

    @pytest.mark.parametrize("password", ["password1234", "King.Arthur2026", "Arthur1234567", "accounts-2026"])
    async def test_easily_guessed_password_is_refused_without_repeating_it(
        self, client: AsyncClient, password: str
    ) -> None:
        response = await client.post("/auth/register", json=ARTHUR | {"password": password})

        assert (response.status_code, response.json()["detail"]) == (400, "REGISTER_INVALID_PASSWORD")
        assert response.json()["reason"]
        assert password not in response.text

    async def test_setting_raises_the_minimum_password_length(
        self, sessionmaker: Sessionmaker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        longer = get_settings().model_copy(update={"password_min_length": len(PASSWORD) + 1})
        monkeypatch.setattr("accounts.api.app.get_settings", lambda: longer)

        async with world_of(sessionmaker) as world:
            response = await world.client.post("/auth/register", json=ARTHUR)

        assert response.json()["reason"] == f"A password must have {len(PASSWORD) + 1} to 128 characters."

    async def test_passphrase_works_in_any_script_and_normal_form(self, client: AsyncClient, world: World) -> None:
        composed, decomposed = "Zażółć gęślą jaźń 🗡️ é", "Zażółć gęślą jaźń 🗡️ e\u0301"
        await client.post("/auth/register", json=ARTHUR | {"password": composed})

        assert (await world.login(ARTHUR["email"], decomposed)).status_code == 200


class TestLogin:
    async def test_sign_in_returns_a_token_that_caches_must_not_store(self, world: World) -> None:
        arthur = await world.user("arthur")

        response = await world.login(arthur)

        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert response.json()["token_type"] == "bearer"
        assert response.json()["expires_in"] == 900

    async def test_sign_in_ignores_the_case_of_the_email(self, world: World) -> None:
        arthur = await world.user("arthur")

        assert (await world.login(arthur.email.upper())).status_code == 200

    async def test_every_failed_sign_in_gets_the_same_response(self, world: World) -> None:
        arthur = await world.user("arthur")
        await world.user("mordred", is_active=False)

        responses = [
            await world.login(arthur, "not-the-password"),
            await world.login(arthur, PASSWORD.upper()),
            await world.login("nobody@camelot.example.com"),
            await world.login("mordred@camelot.example.com"),
            await world.login("not an address"),
        ]

        assert {response.status_code for response in responses} == {400}
        assert {response.text for response in responses} == {responses[0].text}
        assert responses[0].json()["detail"] == "LOGIN_BAD_CREDENTIALS"

    async def test_sign_in_replaces_an_outdated_password_hash(self, world: World) -> None:
        arthur = await world.user("arthur", hashed_password=BcryptHasher(4).hash(PASSWORD))

        assert (await world.login(arthur)).status_code == 200

        async with world.sessionmaker() as db:
            await db.refresh(arthur := await db.merge(arthur))
        assert arthur.hashed_password.startswith("$argon2id$")
        assert (await world.login(arthur)).status_code == 200

    async def test_sign_in_holds_no_connection_while_hashing(
        self, busy_world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        arthur = await busy_world.user("arthur")
        held = busy_world.connections_held_at(monkeypatch, "verify")

        assert (await busy_world.login(arthur)).status_code == 200

        assert held == [0]

    async def test_sign_in_is_refused_as_busy_while_the_hashing_queue_is_full(
        self, busy_world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        arthur = await busy_world.user("arthur")
        with monkeypatch.context() as full_queue:
            full_queue.setattr(busy_world.passwords.queue, "places", 0)
            refused = await busy_world.login(arthur)

        assert (refused.status_code, refused.json()["detail"], refused.headers["Retry-After"]) == (503, "BUSY", "2")
        assert (await busy_world.login(arthur)).status_code == 200


class TestLogout:
    async def test_sign_out_requires_authentication(self, client: AsyncClient, world: World) -> None:
        headers = await world.sign_in(await world.user("arthur"))

        assert (await client.post("/auth/jwt/logout")).status_code == 401
        assert (await client.post("/auth/jwt/logout", headers=headers)).status_code == 204


class TestAccessToken:
    @pytest.mark.parametrize(
        "header",
        ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer x", "Bearer a.b.c", f"Bearer {'x' * 16_000}", "bearer \xff"],
    )
    async def test_malformed_access_token_is_rejected(self, client: AsyncClient, header: str) -> None:
        response = await client.get("/users/me", headers={b"Authorization": header.encode("latin-1")})

        assert response.status_code == 401
        sent = header.lower().startswith("bearer ") and header.strip() != "Bearer"
        assert response.headers["WWW-Authenticate"] == (REFUSED if sent else "Bearer")
        assert response.headers["Content-Type"] == "application/problem+json"

    @pytest.mark.parametrize(
        ("key", "algorithm"),
        [("SECRET", "HS256"), ("", "none"), (SECRET, "HS512"), (SECRET * 2, "HS256")],
    )
    @pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
    async def test_forged_access_token_is_rejected(self, world: World, key: str, algorithm: str) -> None:
        genuine = (await world.login(await world.user("arthur"))).json()["access_token"]
        header, claims = jwt.get_unverified_header(genuine), jwt.decode(genuine, options={"verify_signature": False})
        forged = jwt.encode(claims, key, algorithm, {"kid": header["kid"]})
        tampered = genuine[:-5] + "AAAAA"

        for token in (forged, tampered):
            response = await world.client.get("/users/me", headers={"Authorization": f"Bearer {token}"})
            assert response.status_code == 401


class TestVerify:
    async def test_verification_token_verifies_the_email(self, client: AsyncClient, world: World) -> None:
        arthur = await world.user("arthur")
        response = await client.post("/auth/request-verify-token", json={"email": arthur.email.upper()})
        assert response.status_code == 202

        response = await client.post("/auth/verify", json={"token": (await world.token())})

        assert response.status_code == 200
        assert response.json()["is_verified"] is True

    @pytest.mark.parametrize("name", ["nobody", "verified", "inactive"])
    async def test_request_of_an_unneeded_token_sends_no_mail_and_reveals_nothing(
        self, client: AsyncClient, world: World, name: str
    ) -> None:
        await world.user("verified", is_verified=True)
        await world.user("inactive", is_active=False)

        response = await client.post("/auth/request-verify-token", json={"email": f"{name}@camelot.example.com"})

        assert (response.status_code, response.text) == (202, "null")
        assert (await world.tokens()) == []

    async def test_verification_token_is_refused_after_a_change_of_email(
        self, client: AsyncClient, world: World
    ) -> None:
        arthur = await world.user("arthur")
        await client.post("/auth/request-verify-token", json={"email": arthur.email})
        headers = await world.sign_in(arthur)
        await client.patch("/users/me", json={"email": "other@camelot.example.com"}, headers=headers)

        await assert_bad_token(client, "/auth/verify", {"token": (await world.token())})

    async def test_verification_refuses_a_reset_token(self, client: AsyncClient, world: World) -> None:
        arthur = await world.user("arthur")
        await client.post("/auth/forgot-password", json={"email": arthur.email})

        await assert_bad_token(client, "/auth/verify", {"token": (await world.token())})


class TestReset:
    async def test_reset_token_sets_the_password_once(self, client: AsyncClient, world: World) -> None:
        arthur = await world.user("arthur")
        await client.post("/auth/forgot-password", json={"email": arthur.email})
        body = {"token": (await world.token()), "password": NEW_PASSWORD}

        assert (await client.post("/auth/reset-password", json=body)).status_code == 200

        assert (await world.login(arthur)).status_code == 400
        assert (await world.login(arthur, NEW_PASSWORD)).status_code == 200
        await assert_bad_token(client, "/auth/reset-password", body)

    async def test_only_one_of_ten_concurrent_resets_succeeds(self, busy_world: World) -> None:
        arthur = await busy_world.user("arthur")
        await busy_world.client.post("/auth/forgot-password", json={"email": arthur.email})
        token = await busy_world.token()

        responses = await asyncio.gather(
            *(
                busy_world.client.post(
                    "/auth/reset-password", json={"token": token, "password": f"{NEW_PASSWORD}{number}"}
                )
                for number in range(10)
            )
        )

        assert sorted(response.status_code for response in responses) == [200] + [400] * 9

    async def test_reset_token_stays_usable_after_a_refused_password(self, client: AsyncClient, world: World) -> None:
        arthur = await world.user("arthur")
        await client.post("/auth/forgot-password", json={"email": arthur.email})

        refused = await client.post("/auth/reset-password", json={"token": (await world.token()), "password": "short"})
        accepted = await client.post(
            "/auth/reset-password", json={"token": (await world.token()), "password": NEW_PASSWORD}
        )

        assert (refused.status_code, refused.json()["detail"]) == (400, "RESET_PASSWORD_INVALID_PASSWORD")
        assert accepted.status_code == 200

    @pytest.mark.parametrize("password", ["password1234", "arthur12345678"])
    async def test_reset_refuses_an_easily_guessed_password(
        self, client: AsyncClient, world: World, password: str
    ) -> None:
        arthur = await world.user("arthur")
        await client.post("/auth/forgot-password", json={"email": arthur.email})

        response = await client.post(
            "/auth/reset-password", json={"token": (await world.token()), "password": password}
        )

        assert (response.status_code, response.json()["detail"]) == (400, "RESET_PASSWORD_INVALID_PASSWORD")

    async def test_newer_reset_token_replaces_the_older_one(self, client: AsyncClient, world: World) -> None:
        arthur = await world.user("arthur")
        for _ in range(2):
            await client.post("/auth/forgot-password", json={"email": arthur.email})
        (_, _, older), (_, _, newer) = await world.tokens()

        await assert_bad_token(client, "/auth/reset-password", {"token": older, "password": NEW_PASSWORD})
        body = {"token": newer, "password": NEW_PASSWORD}
        assert (await client.post("/auth/reset-password", json=body)).status_code == 200

    async def test_reset_token_is_refused_after_a_change_of_password(self, client: AsyncClient, world: World) -> None:
        arthur = await world.user("arthur")
        await client.post("/auth/forgot-password", json={"email": arthur.email})
        headers = await world.sign_in(arthur)
        await client.patch("/users/me", json={"password": NEW_PASSWORD}, headers=headers)

        await assert_bad_token(client, "/auth/reset-password", {"token": (await world.token()), "password": PASSWORD})

    async def test_inactive_user_gets_no_reset_token(self, client: AsyncClient, world: World) -> None:
        await world.user("arthur", is_active=False)

        response = await client.post("/auth/forgot-password", json={"email": "arthur@camelot.example.com"})

        assert response.status_code == 202
        assert (await world.tokens()) == []

    async def test_forgot_password_mails_a_reset_token_to_the_user(self, client: AsyncClient, world: World) -> None:
        arthur = await world.user("arthur")

        await client.post("/auth/forgot-password", json={"email": arthur.email})

        assert [(purpose, email) for purpose, email, _ in (await world.tokens())] == [(Purpose.RESET, arthur.email)]


async def assert_bad_token(client: AsyncClient, path: str, body: dict[str, str]) -> None:
    response = await client.post(path, json=body)
    assert response.status_code == 400
    assert response.json()["detail"].endswith("_BAD_TOKEN")
