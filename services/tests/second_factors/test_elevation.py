"""Step-up authentication of users with a second factor, over HTTP."""

import jwt
import pytest
from sqlmodel import col, select

from accounts.db.session import transaction
from accounts.models import UserSession
from support.people import PASSWORD, World
from support.second_factors import age, elevate, finish, mfa_token, user_with_app

CHANGE = {"password": "a-sword-in-a-stone", "current_password": PASSWORD}


async def change_password(world: World, headers: dict[str, str]) -> tuple[int, str]:
    answer = await world.client.patch("/users/me", json=CHANGE, headers=headers)
    return answer.status_code, "" if answer.is_success else answer.json()["detail"]


class TestWithAFactor:
    async def test_password_no_longer_suffices_for_sensitive_changes(self, world: World) -> None:
        phone = await user_with_app(world)
        await age(world)

        assert await change_password(world, phone.headers) == (403, "REAUTHENTICATION_REQUIRED")

    async def test_code_renews_the_authentication_for_ten_minutes(self, world: World) -> None:
        phone = await user_with_app(world)
        await age(world)

        done = await elevate(world, phone.headers, code=await phone.code())

        assert done.status_code == 204
        await age(world, 9)
        assert await change_password(world, phone.headers) == (200, "")
        await age(world, 11)
        assert await change_password(world, phone.headers) == (403, "REAUTHENTICATION_REQUIRED")

    async def test_password_does_not_elevate(self, world: World) -> None:
        phone = await user_with_app(world)
        await age(world)

        refused = await elevate(world, phone.headers, current_password=PASSWORD)

        assert (refused.status_code, refused.json()["detail"]) == (403, "REAUTHENTICATION_REQUIRED")
        assert 'acr_values="aal2"' in refused.headers["WWW-Authenticate"]

    async def test_code_elevates_once(self, world: World) -> None:
        phone = await user_with_app(world)
        code = await phone.code()

        answers = [await elevate(world, phone.headers, code=code) for _ in range(2)]

        assert [each.status_code for each in answers] == [204, 400]
        assert answers[1].json()["detail"] == "BAD_SECOND_FACTOR"

    async def test_session_from_before_the_factor_at_level_1_is_not_recent_enough(self, world: World) -> None:
        """Such sessions are ended when the factor is added; one that was not must not do harm."""
        phone = await user_with_app(world)
        await world.sql("UPDATE user_session SET aal = 1, authenticated_at = now()")

        assert await change_password(world, phone.headers) == (403, "REAUTHENTICATION_REQUIRED")

    async def test_proofs_are_limited_together_with_those_of_sign_ins(self, world: World) -> None:
        phone = await user_with_app(world)
        token = await mfa_token(world)
        world.change_settings(throttle_scale=1)

        answers = [await elevate(world, phone.headers, code="000000") for _ in range(3)]
        answers += [await finish(world, token, code="000000") for _ in range(3)]

        assert [each.status_code for each in answers] == [400] * 5 + [429]

    async def test_superuser_with_a_factor_needs_it_for_the_administration(self, world: World) -> None:
        phone = await user_with_app(world, "merlin", superuser=True)
        arthur = await world.user("arthur")
        await age(world)
        path = f"/users/{arthur.id}/sessions"

        stale = await world.client.request("DELETE", path, json={"current_password": PASSWORD}, headers=phone.headers)
        await elevate(world, phone.headers, code=await phone.code())

        assert (stale.status_code, stale.json()["detail"]) == (403, "REAUTHENTICATION_REQUIRED")
        assert (await world.client.delete(path, headers=phone.headers)).status_code == 204


class TestWithoutAFactor:
    async def test_password_renews_the_authentication(self, world: World) -> None:
        headers = await world.sign_in(await world.user("arthur"))
        await age(world)

        answers = [await elevate(world, headers, current_password=each) for each in ("not-the-password", PASSWORD)]

        assert [each.status_code for each in answers] == [400, 204]
        created = await world.client.post("/users/me/totp", headers=headers)
        assert created.status_code == 201
        async with transaction(world.sessionmaker) as db:
            assert (await db.exec(select(UserSession.aal, col(UserSession.methods)))).all() == [(1, ["pwd"])]

    @pytest.mark.parametrize("proof", [{"code": "123456"}, {"recovery_code": "AAAA-BBBB-CCCC-DDDD"}, {"passkey": {}}])
    async def test_factor_that_the_user_does_not_have_is_refused(self, world: World, proof: dict[str, object]) -> None:
        headers = await world.sign_in(await world.user("arthur"))

        refused = await elevate(world, headers, **proof)

        assert (refused.status_code, refused.json()["detail"]) == (400, "BAD_SECOND_FACTOR")

    async def test_wrong_passwords_are_limited_like_sign_ins(self, world: World) -> None:
        headers = await world.sign_in(await world.user("arthur"))
        world.change_settings(throttle_scale=1)

        answers = [await elevate(world, headers, current_password="not-the-password") for _ in range(6)]

        assert [each.status_code for each in answers] == [400] * 5 + [429]


async def test_access_token_names_the_recovery_code(world: World) -> None:
    phone = await user_with_app(world)

    done = await finish(world, await mfa_token(world), recovery_code=phone.recovery_codes[0])

    claims = jwt.decode(done.json()["access_token"], options={"verify_signature": False})
    assert (claims["acr"], claims["amr"]) == ("aal2", ["pwd", "rcv", "mfa"])
