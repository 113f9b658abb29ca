"""Adding, confirming and removing an authenticator app, over HTTP."""

import asyncio
from base64 import b32decode
from urllib.parse import parse_qsl, unquote, urlsplit

import jwt
import pyotp
import pytest
from sqlmodel import select

from accounts.db.session import transaction
from accounts.models import AuditEvent, MailKind, Totp
from support.people import PASSWORD, World
from support.second_factors import add_app, age, bearer, confirm, create_secret, finish, mfa_token, user_with_app


async def factors(world: World, headers: dict[str, str]) -> dict[str, object]:
    answer = await world.client.get("/users/me/factors", headers=headers)
    assert answer.status_code == 200
    return dict(answer.json())


async def changes(world: World) -> list[str]:
    return [mail.detail["change"] for mail in await world.mails(MailKind.SECURITY_CHANGED)]


class TestCreation:
    async def test_app_gets_the_secret_as_text_as_uri_and_as_qr_code(self, world: World) -> None:
        headers = await world.sign_in(await world.user("arthur"))

        created = await world.client.post("/users/me/totp", headers=headers)

        answer = created.json()
        assert (created.status_code, created.headers["Cache-Control"]) == (201, "no-store")
        assert len(b32decode(answer["secret"])) == 20
        url = urlsplit(answer["uri"])
        assert (url.scheme, url.netloc, unquote(url.path)) == (
            "otpauth",
            "totp",
            "/accounts:arthur@camelot.example.com",
        )
        assert dict(parse_qsl(url.query)) == {
            "secret": answer["secret"], "issuer": "accounts", "algorithm": "SHA1", "digits": "6", "period": "30",
        }  # fmt: skip
        assert pyotp.parse_uri(answer["uri"]).secret == answer["secret"]
        assert answer["qr"].startswith("data:image/svg+xml")

    async def test_qr_code_is_created_for_the_longest_names(self, world: World) -> None:
        world.change_settings(mail_from='"' + 200 * "\N{CROWN}" + '" <accounts@example.com>')
        user = await world.user("arthur")
        headers = await world.sign_in(user)
        await world.sql(f"UPDATE \"user\" SET email = '{200 * chr(0x1F451)}@example.com'")  # noqa: S608  # constants

        created = await world.client.post("/users/me/totp", headers=headers)

        assert created.status_code == 201
        assert pyotp.parse_uri(created.json()["uri"]).secret == created.json()["secret"]

    async def test_secret_is_stored_sealed(self, world: World) -> None:
        headers = await world.sign_in(await world.user("arthur"))

        secret = b32decode(await create_secret(world, headers))

        async with transaction(world.sessionmaker) as db:
            assert secret not in (await db.exec(select(Totp.secret_sealed))).one()

    async def test_app_that_is_not_confirmed_is_no_factor_and_is_replaced(self, world: World) -> None:
        arthur = await world.user("arthur")
        headers = await world.sign_in(arthur)

        first, second = await create_secret(world, headers), await create_secret(world, headers)

        assert (await factors(world, headers))["totp"] is None
        assert (await world.login(arthur)).status_code == 200
        assert (await confirm(world, headers, pyotp.TOTP(first).now())).json()["detail"] == "BAD_SECOND_FACTOR"
        assert (await confirm(world, headers, pyotp.TOTP(second).now())).status_code == 200

    async def test_confirmed_app_is_not_replaced(self, world: World) -> None:
        phone = await user_with_app(world)

        refused = await world.client.post("/users/me/totp", headers=phone.headers)

        assert (refused.status_code, refused.json()["detail"]) == (409, "TOTP_EXISTS")
        assert (await confirm(world, phone.headers, await phone.code())).json()["detail"] == "TOTP_EXISTS"

    async def test_adding_an_app_requires_a_recent_sign_in_or_the_password(self, world: World) -> None:
        headers = await world.sign_in(await world.user("arthur"))
        await age(world)

        answers = [
            await world.client.post("/users/me/totp", json=body, headers=headers)
            for body in (None, {"current_password": "not-the-password"}, {"current_password": PASSWORD})
        ]

        assert [each.status_code for each in answers] == [403, 400, 201]
        assert answers[0].headers["WWW-Authenticate"] == (
            'Bearer error="insufficient_user_authentication", max_age="600"'
        )


class TestConfirmation:
    async def test_confirmed_app_is_listed_with_ten_recovery_codes(self, world: World) -> None:
        headers = await world.sign_in(await world.user("arthur"))
        before = await factors(world, headers)

        phone = await add_app(world, headers)

        assert before == {"totp": None, "recovery_codes_left": 0, "passkeys": 0}
        after = await factors(world, headers)
        assert (after["totp"] is None, after["recovery_codes_left"]) == (False, 10)
        assert len(set(phone.recovery_codes)) == 10

    async def test_session_is_raised_to_level_2_and_all_others_end(self, world: World) -> None:
        arthur = await world.user("arthur")
        login = (await world.login(arthur)).json()
        here, other = {"Authorization": f"Bearer {login['access_token']}"}, await world.sign_in(arthur)

        await add_app(world, here)

        assert (await world.client.get("/users/me", headers=here)).status_code == 200
        assert (await world.client.get("/users/me", headers=other)).status_code == 401
        refreshed = await world.client.post(
            "/auth/jwt/refresh", data={"grant_type": "refresh_token", "refresh_token": login["refresh_token"]}
        )
        claims = jwt.decode(refreshed.json()["access_token"], options={"verify_signature": False})
        assert (claims["acr"], claims["amr"]) == ("aal2", ["pwd", "otp", "mfa"])

    async def test_confirmation_is_recorded_and_reported_by_mail(self, world: World) -> None:
        await user_with_app(world)

        assert await changes(world) == ["totp_added"]
        async with transaction(world.sessionmaker) as db:
            actions = (await db.exec(select(AuditEvent.action))).all()
        assert {"totp.added", "session.elevated"} <= set(actions)

    async def test_session_of_level_1_confirms_no_app_once_the_user_has_a_factor(self, world: World) -> None:
        """A thief who began meanwhile in a stolen session must not end with a factor."""
        headers = await world.sign_in(await world.user("arthur"))
        app = pyotp.TOTP(await create_secret(world, headers))
        await world.sql("UPDATE \"user\" SET second_factors = '{passkey}'")

        refused = await confirm(world, headers, app.now())

        assert (refused.status_code, refused.json()["detail"]) == (403, "REAUTHENTICATION_REQUIRED")

    async def test_secret_expires_after_an_hour(self, world: World) -> None:
        headers = await world.sign_in(await world.user("arthur"))
        app = pyotp.TOTP(await create_secret(world, headers))
        await world.sql("UPDATE totp SET created_at = now() - interval '61 minutes'")

        refused = await confirm(world, headers, app.now())

        assert (refused.status_code, refused.json()["detail"]) == (404, "TOTP_NOT_FOUND")

    async def test_wrong_codes_are_limited(self, world: World) -> None:
        headers = await world.sign_in(await world.user("arthur"))
        await create_secret(world, headers)
        world.change_settings(throttle_scale=1)

        answers = [await confirm(world, headers, "000000") for _ in range(6)]

        assert [each.status_code for each in answers] == [400] * 5 + [429]

    async def test_of_sixteen_confirmations_at_once_one_succeeds(self, busy_world: World) -> None:
        headers = await busy_world.sign_in(await busy_world.user("arthur"))
        code = pyotp.TOTP(await create_secret(busy_world, headers)).now()

        answers = await asyncio.gather(*(confirm(busy_world, headers, code) for _ in range(16)))

        assert sorted(each.status_code for each in answers) == [200] + [409] * 15
        assert (await factors(busy_world, headers))["recovery_codes_left"] == 10
        assert await changes(busy_world) == ["totp_added"]

    async def test_confirmation_and_a_sign_in_at_once_leave_no_session_without_the_factor(
        self, busy_world: World
    ) -> None:
        arthur = await busy_world.user("arthur")
        headers = await busy_world.sign_in(arthur)
        code = pyotp.TOTP(await create_secret(busy_world, headers)).now()

        _, *logins = await asyncio.gather(
            confirm(busy_world, headers, code), *(busy_world.login(arthur) for _ in range(8))
        )

        for login in logins:
            if login.status_code == 200:  # it came first, and was ended
                token = {"Authorization": f"Bearer {login.json()['access_token']}"}
                assert (await busy_world.client.get("/users/me", headers=token)).status_code == 401
            else:
                assert login.json()["detail"] == "MFA_REQUIRED"


class TestRemoval:
    async def test_removed_app_and_its_recovery_codes_are_no_longer_asked_for(self, world: World) -> None:
        phone = await user_with_app(world)

        removed = await world.client.delete("/users/me/totp", headers=phone.headers)

        assert removed.status_code == 204
        assert await factors(world, phone.headers) == {"totp": None, "recovery_codes_left": 0, "passkeys": 0}
        assert (await world.login("arthur@camelot.example.com")).status_code == 200
        [mail] = await world.mails(MailKind.SECURITY_CHANGED)
        assert (mail.detail["change"], mail.detail["more"]) == ("totp_added", 1)

    async def test_removal_requires_a_recent_second_factor(self, world: World) -> None:
        phone = await user_with_app(world)
        await age(world)

        body = {"current_password": PASSWORD}
        stale = await world.client.request("DELETE", "/users/me/totp", json=body, headers=phone.headers)

        assert (stale.status_code, stale.json()["detail"]) == (403, "REAUTHENTICATION_REQUIRED")
        assert 'acr_values="aal2"' in stale.headers["WWW-Authenticate"]

    async def test_removal_ends_all_other_sessions(self, world: World) -> None:
        phone = await user_with_app(world)
        other = bearer(await finish(world, await mfa_token(world), code=await phone.code()))

        await world.client.delete("/users/me/totp", headers=phone.headers)

        statuses = [(await world.client.get("/users/me", headers=each)).status_code for each in (phone.headers, other)]
        assert statuses == [200, 401]

    async def test_missing_app_is_not_found(self, world: World) -> None:
        headers = await world.sign_in(await world.user("arthur"))

        missing = await world.client.delete("/users/me/totp", headers=headers)
        await create_secret(world, headers)
        unconfirmed = await world.client.delete("/users/me/totp", headers=headers)

        assert (missing.status_code, missing.json()["detail"]) == (404, "TOTP_NOT_FOUND")
        assert unconfirmed.status_code == 204
        assert await changes(world) == []

    async def test_user_who_removed_an_app_adds_another_one_with_new_recovery_codes(self, world: World) -> None:
        phone = await user_with_app(world)
        await world.client.delete("/users/me/totp", headers=phone.headers)

        other = await add_app(world, phone.headers)

        assert len(other.recovery_codes) == 10
        assert not set(other.recovery_codes) & set(phone.recovery_codes)


@pytest.mark.parametrize("path", ["/users/me/totp", "/users/me/recovery-codes"])
async def test_programs_cannot_change_second_factors(world: World, path: str) -> None:
    key = await world.access_key(await world.user("arthur"), "profile:read")

    assert (await world.client.post(path, headers=key)).json()["detail"] == "NOT_WITH_A_KEY"
