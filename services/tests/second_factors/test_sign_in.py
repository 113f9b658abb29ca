"""Sign-ins that wait for a second factor, over HTTP."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from sqlmodel import func, select

from accounts.db.session import transaction
from accounts.models import AuditEvent, PendingSignIn, UserSession
from accounts.schemas.identity.users import SuperuserUpdate
from support.people import PASSWORD, World
from support.schema import recorded_statements
from support.second_factors import Phone, bearer, finish, mfa_token, user_with_app

ARTHUR = "arthur@camelot.example.com"


async def sessions(world: World) -> int:
    async with transaction(world.sessionmaker) as db:
        return (await db.exec(select(func.count()).select_from(UserSession))).one()


async def attempts_left(world: World) -> list[int]:
    async with transaction(world.sessionmaker) as db:
        return [5 - used for used in await db.exec(select(PendingSignIn.attempts))]


@pytest.fixture
async def phone(world: World) -> Phone:
    return await user_with_app(world, is_verified=True)


@pytest.mark.usefixtures("phone")
class TestPassword:
    async def test_password_alone_starts_no_session_and_says_what_finishes_it(self, world: World) -> None:
        before = await sessions(world)

        refused = await world.login(ARTHUR)

        answer = refused.json()
        assert (refused.status_code, answer["detail"]) == (403, "MFA_REQUIRED")
        assert (answer["factors"], len(answer["mfa_token"])) == (["totp", "recovery_code"], 43)
        assert "access_token" not in answer
        assert await sessions(world) == before

    async def test_wrong_password_does_not_reveal_the_factor(self, world: World) -> None:
        refused = await world.login(ARTHUR, "not-the-password")

        assert (refused.status_code, refused.json()["detail"]) == (400, "LOGIN_BAD_CREDENTIALS")

    async def test_cookie_sign_in_waits_as_well(self, world: World, phone: Phone) -> None:
        form = {"username": ARTHUR, "password": PASSWORD}
        refused = await world.client.post("/auth/cookie/login", data=form)

        assert (refused.status_code, refused.json()["detail"]) == (403, "MFA_REQUIRED")
        assert "set-cookie" not in refused.headers
        done = await finish(world, refused.json()["mfa_token"], "cookie", code=await phone.code())
        assert done.status_code == 204
        cookie = done.headers["set-cookie"].partition(";")[0]
        assert (await world.client.get("/users/me", headers={"Cookie": cookie})).status_code == 200

    async def test_token_of_a_pending_sign_in_opens_nothing_else(self, world: World) -> None:
        token = await mfa_token(world)

        answer = await world.client.get("/users/me", headers={"Authorization": f"Bearer {token}"})

        assert answer.status_code == 401


@pytest.mark.usefixtures("phone")
class TestCode:
    async def test_code_finishes_the_sign_in_at_level_2(self, world: World, phone: Phone) -> None:
        done = await finish(world, await mfa_token(world), code=await phone.code())

        claims = jwt.decode(done.json()["access_token"], options={"verify_signature": False})
        assert (claims["acr"], claims["amr"]) == ("aal2", ["pwd", "otp", "mfa"])
        assert (await world.client.get("/users/me", headers=bearer(done))).status_code == 200

    async def test_session_has_the_scopes_that_the_sign_in_asked_for(self, world: World, phone: Phone) -> None:
        done = await finish(world, await mfa_token(world, scope="groups"), code=await phone.code())

        assert done.json()["scope"] == "account groups"

    async def test_code_may_contain_blanks(self, world: World, phone: Phone) -> None:
        code = await phone.code()

        assert (await finish(world, await mfa_token(world), code=f"{code[:3]} {code[3:]}")).status_code == 200

    async def test_code_is_accepted_once_also_for_another_sign_in(self, world: World, phone: Phone) -> None:
        code = await phone.code()
        first, second = await mfa_token(world), await mfa_token(world)

        answers = [await finish(world, token, code=code) for token in (first, second)]

        assert [each.status_code for each in answers] == [200, 400]
        assert answers[1].json()["detail"] == "BAD_SECOND_FACTOR"

    async def test_older_code_is_refused_after_a_newer_one(self, world: World, phone: Phone) -> None:
        await phone.code()
        newer, older = phone.app.at(int(time.time()) + 30), phone.app.now()

        answers = [await finish(world, await mfa_token(world), code=code) for code in (newer, older)]

        assert [each.status_code for each in answers] == [200, 400]

    async def test_code_of_another_user_is_refused(self, world: World) -> None:
        mordred = await user_with_app(world, "mordred")

        assert (await finish(world, await mfa_token(world), code=await mordred.code())).status_code == 400

    async def test_refused_code_is_recorded_and_starts_no_session(self, world: World) -> None:
        before = await sessions(world)

        await finish(world, await mfa_token(world), code="000000")

        assert await sessions(world) == before
        async with transaction(world.sessionmaker) as db:
            events = select(AuditEvent.detail).where(AuditEvent.action == "second_factor.refused")
            assert [event["factor"] for event in (await db.exec(events)).all()] == ["code"]

    @pytest.mark.parametrize(
        "answer",
        [
            {},
            {"code": "123456", "recovery_code": "AAAA-BBBB"},
            {"code": "12345"},
            {"code": "\uff11\uff12\uff13\uff14\uff15\uff16"},
            {"code": "12345\n"},
            {"recovery_code": "x" * 41},
        ],
    )
    async def test_malformed_answer_is_refused_and_counts_no_attempt(
        self, world: World, answer: dict[str, str]
    ) -> None:
        token = await mfa_token(world)

        assert (await finish(world, token, **answer)).status_code == 422
        assert await attempts_left(world) == [5]


class TestEnd:
    async def test_sign_in_is_finished_once(self, world: World, phone: Phone) -> None:
        token = await mfa_token(world)

        answers = [await finish(world, token, code=await phone.code()) for _ in range(2)]

        assert [each.status_code for each in answers] == [200, 400]
        assert answers[1].json()["detail"] == "MFA_BAD_TOKEN"

    async def test_sign_in_fails_for_good_after_five_wrong_codes(self, world: World, phone: Phone) -> None:
        token = await mfa_token(world)

        wrong = [await finish(world, token, code="000000") for _ in range(5)]
        right = await finish(world, token, code=await phone.code())

        assert {each.json()["detail"] for each in wrong} == {"BAD_SECOND_FACTOR"}
        assert right.json()["detail"] == "MFA_BAD_TOKEN"

    async def test_sign_in_expires_after_five_minutes(self, world: World, phone: Phone) -> None:
        token = await mfa_token(world)
        async with transaction(world.sessionmaker) as db:
            expires_at = (await db.exec(select(PendingSignIn.expires_at))).one()
        await world.sql("UPDATE pending_sign_in SET expires_at = now() - interval '1 second'")

        refused = await finish(world, token, code=await phone.code())

        assert timedelta(minutes=4) < expires_at - datetime.now(UTC) <= timedelta(minutes=5)
        assert (refused.status_code, refused.json()["detail"]) == (400, "MFA_BAD_TOKEN")

    async def test_token_of_one_user_takes_no_factor_of_another(self, world: World, phone: Phone) -> None:
        await user_with_app(world, "mordred")

        assert (await finish(world, await mfa_token(world, "mordred"), code=await phone.code())).status_code == 400

    @pytest.mark.parametrize("token", ["x" * 43, "x"])
    async def test_invented_token_is_refused(self, world: World, token: str) -> None:
        assert (await finish(world, token, code="123456")).json()["detail"] == "MFA_BAD_TOKEN"

    async def test_password_reset_ends_it_and_does_not_remove_the_factor(self, world: World, phone: Phone) -> None:
        token = await mfa_token(world)
        await world.client.post("/auth/forgot-password", json={"email": ARTHUR})
        reset = {"token": await world.token(), "password": "a-sword-in-a-stone"}
        assert (await world.client.post("/auth/reset-password", json=reset)).is_success

        refused = await finish(world, token, code=await phone.code())

        assert refused.json()["detail"] == "MFA_BAD_TOKEN"
        assert (await world.login(ARTHUR, "a-sword-in-a-stone")).json()["detail"] == "MFA_REQUIRED"

    async def test_sign_out_everywhere_ends_it(self, world: World, phone: Phone) -> None:
        token = await mfa_token(world)
        assert (await world.client.delete("/auth/sessions", headers=phone.headers)).is_success

        assert (await finish(world, token, code=await phone.code())).json()["detail"] == "MFA_BAD_TOKEN"

    async def test_deactivation_ends_it(self, world: World, phone: Phone) -> None:
        token, code = await mfa_token(world), await phone.code()
        async with transaction(world.sessionmaker) as db:
            users = world.users(db)
            await users.update(SuperuserUpdate(is_active=False), await users.get_by_email(ARTHUR))

        assert (await finish(world, token, code=code)).json()["detail"] == "MFA_BAD_TOKEN"


@pytest.mark.usefixtures("phone")
class TestLimits:
    async def test_codes_of_a_user_are_limited_across_sign_ins_and_networks(self, world: World) -> None:
        tokens = [await mfa_token(world) for _ in range(6)]
        world.change_settings(throttle_scale=1)

        statuses = []
        for number, token in enumerate(tokens):
            async with world.client_at(f"203.0.{number}.7") as client:
                answer = await client.post("/auth/jwt/mfa", json={"mfa_token": token, "code": "000000"})
                statuses.append(answer.status_code)

        assert statuses == [400] * 5 + [429]

    async def test_finished_sign_in_resets_the_failed_attempts(self, world: World, phone: Phone) -> None:
        world.change_settings(throttle_scale=1)
        for _ in range(3):
            await world.login(ARTHUR, "not-the-password")

        await finish(world, await mfa_token(world), code=await phone.code())

        assert [(await world.login(ARTHUR, "not-the-password")).status_code for _ in range(5)] == [400] * 5


async def test_sign_in_reads_the_factors_with_the_user_that_it_locks(world: World) -> None:
    """So users without a factor wait for no statement more."""
    await world.user("arthur")

    async with world.owner() as db, recorded_statements(db) as ran:
        assert (await world.login(ARTHUR)).status_code == 200

    statements = [statement for statement, _ in ran]
    assert [each for each in statements if "second_factors" in each and "FOR NO KEY UPDATE" in each]
    assert not [each for each in statements if "totp" in each or "recovery_code" in each or "pending_sign_in" in each]


class TestRaces:
    async def test_of_sixteen_clients_with_one_code_one_signs_in(self, busy_world: World) -> None:
        phone = await user_with_app(busy_world)
        tokens = [await mfa_token(busy_world) for _ in range(16)]
        code, before = await phone.code(), await sessions(busy_world)

        answers = await asyncio.gather(*(finish(busy_world, token, code=code) for token in tokens))

        assert sorted(each.status_code for each in answers) == [200] + [400] * 15
        assert await sessions(busy_world) == before + 1

    async def test_of_sixteen_clients_with_one_sign_in_one_finishes_it(self, busy_world: World) -> None:
        phone = await user_with_app(busy_world)
        token, before = await mfa_token(busy_world), await sessions(busy_world)
        code = phone.app.at(int(time.time()) + 30)

        answers = await asyncio.gather(
            finish(busy_world, token, code=code),
            *(finish(busy_world, token, recovery_code=code) for code in phone.recovery_codes),
        )

        assert [each.status_code for each in answers].count(200) == 1
        assert await sessions(busy_world) == before + 1

    async def test_of_many_guesses_at_once_five_are_compared(self, busy_world: World) -> None:
        await user_with_app(busy_world)
        token = await mfa_token(busy_world)

        answers = await asyncio.gather(*(finish(busy_world, token, code="000000") for _ in range(16)))

        codes = [each.json()["detail"] for each in answers]
        assert (codes.count("BAD_SECOND_FACTOR"), codes.count("MFA_BAD_TOKEN")) == (5, 11)

    async def test_sign_in_that_is_finished_during_a_sign_out_everywhere_is_ended_or_refused(
        self, busy_world: World
    ) -> None:
        phone = await user_with_app(busy_world)
        token, code = await mfa_token(busy_world), await phone.code()

        done, _ = await asyncio.gather(
            finish(busy_world, token, code=code), busy_world.client.delete("/auth/sessions", headers=phone.headers)
        )

        if done.status_code == 200:
            assert (await busy_world.client.get("/users/me", headers=bearer(done))).status_code == 401
        else:
            assert done.json()["detail"] == "MFA_BAD_TOKEN"
        async with transaction(busy_world.sessionmaker) as db:
            assert (await db.exec(select(PendingSignIn))).all() == []
