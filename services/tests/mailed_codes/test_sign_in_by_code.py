"""Sign-in by mailed code over HTTP: who gets in, how often, and what that changes."""

import uuid
from datetime import UTC, datetime

import jwt
import pytest
from sqlmodel import col, select

from accounts.db.session import transaction
from accounts.domain.identity.one_time_tokens import send_token
from accounts.domain.identity.stored_hashes import UNUSABLE
from accounts.domain.mailed_codes import store
from accounts.domain.mailed_codes.codes import LETTERS, derive_code, is_code
from accounts.domain.retention import delete_expired
from accounts.domain.sessions import pending_sign_ins
from accounts.models import (
    AuditEvent,
    Factor,
    MailedCode,
    MailKind,
    OneTimeToken,
    Purpose,
    Role,
    Totp,
    User,
    UserSession,
)
from support.mailed_codes import WRONG, Codes
from support.people import PASSWORD, World

ARTHUR = "arthur@camelot.example.com"
EXPIRED = (
    "UPDATE mailed_code SET expires_at = now() - interval '59 minutes'",
    "UPDATE mailed_code SET expires_at = now() - interval '61 minutes'",
)
BAD_CODE = (400, "LOGIN_BAD_CODE")


@pytest.fixture
def codes(world: World) -> Codes:
    return Codes(world)


@pytest.fixture
async def arthur(world: World) -> User:
    return await world.user("arthur", is_verified=True)


async def stored(world: World) -> list[MailedCode]:
    async with transaction(world.sessionmaker) as db:
        return list(await db.exec(select(MailedCode)))


async def reloaded(world: World, user: User) -> User:
    async with transaction(world.sessionmaker) as db:
        return await db.get_one(User, user.id)


@pytest.mark.usefixtures("arthur")
class TestRightCode:
    async def test_code_signs_in_with_tokens_that_name_the_method(self, codes: Codes) -> None:
        answer = await codes.send(*await codes.requested(ARTHUR), scope="groups")

        tokens = answer.json()
        claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert (claims["acr"], claims["amr"], tokens["scope"]) == ("aal1", ["email"], "account groups")
        assert (await codes.world.client.get("/users/me", headers=headers)).json()["email"] == ARTHUR

    async def test_code_signs_in_with_a_cookie(self, codes: Codes) -> None:
        answer = await codes.send(*await codes.requested(ARTHUR), "/auth/cookie/code")

        cookie = answer.headers["set-cookie"].partition(";")[0]
        assert answer.status_code == 204
        assert (await codes.world.client.get("/users/me", headers={"Cookie": cookie})).status_code == 200

    @pytest.mark.parametrize("typed", [str.lower, lambda code: code.replace("-", ""), lambda code: f" {code} "])
    async def test_case_hyphens_and_spaces_do_not_matter(self, codes: Codes, typed: "type[str]") -> None:
        token, code = await codes.requested(ARTHUR)

        assert (await codes.send(token, typed(code))).status_code == 200

    async def test_code_works_once(self, codes: Codes) -> None:
        token, code = await codes.requested(ARTHUR)

        answers = [await codes.send(token, code) for _ in range(2)]

        assert [each.status_code for each in answers] == [200, 400]

    async def test_code_of_a_mail_under_an_earlier_key_works(self, codes: Codes) -> None:
        token, code = await codes.requested(ARTHUR)
        key = codes.world.state["settings"].secret_key.get_secret_value()
        rotated = type(codes.world.state["settings"].secret_key)(f"{'n' * 32},{key}")
        codes.world.change_settings(secret_key=rotated)

        assert (await codes.send(token, code)).status_code == 200

    async def test_sign_in_ends_all_other_codes_of_the_user(self, codes: Codes) -> None:
        other = await codes.requested(ARTHUR)
        await codes.send(*await codes.requested(ARTHUR))

        answer = await codes.send(*other)

        assert (answer.status_code, answer.json()["detail"]) == BAD_CODE

    async def test_user_with_a_second_factor_is_asked_for_it(self, codes: Codes, arthur: User) -> None:
        await codes.world.sql("UPDATE \"user\" SET second_factors = '{totp}'")
        token, code = await codes.requested(ARTHUR)
        answer = await codes.send(token, code)

        assert (answer.status_code, answer.json()["detail"]) == (403, "MFA_REQUIRED")
        async with transaction(codes.world.sessionmaker) as db:
            pending = await pending_sign_ins.count_attempt(db, answer.json()["mfa_token"])
            assert (pending.user_id, pending.methods) == (arthur.id, ["email"])
            assert (await db.exec(select(UserSession))).all() == []
        assert (await codes.send(token, code)).status_code == 400

    async def test_user_without_a_password_signs_in(self, codes: Codes) -> None:
        await codes.world.sql("UPDATE \"user\" SET hashed_password = '!'")

        assert (await codes.send(*await codes.requested(ARTHUR))).status_code == 200


@pytest.mark.usefixtures("arthur")
class TestWrongCode:
    async def test_wrong_code_is_refused_and_shown_in_the_activity(self, codes: Codes, arthur: User) -> None:
        token = await codes.request(ARTHUR)

        answer = await codes.send(token, WRONG)

        assert (answer.status_code, answer.json()["detail"]) == BAD_CODE
        async with transaction(codes.world.sessionmaker) as db:
            [event] = (await db.exec(select(AuditEvent).where(col(AuditEvent.action) == "session.refused"))).all()
        assert (event.user_id, event.detail["method"]) == (arthur.id, "email")

    async def test_code_is_refused_after_five_wrong_ones(self, codes: Codes) -> None:
        token, code = await codes.requested(ARTHUR)

        for _ in range(5):
            await codes.send(token, WRONG)

        assert (await codes.send(token, code)).json()["detail"] == "LOGIN_BAD_CODE"

    async def test_code_is_accepted_after_four_wrong_ones(self, codes: Codes) -> None:
        token, code = await codes.requested(ARTHUR)

        for _ in range(4):
            await codes.send(token, WRONG)

        assert (await codes.send(token, code)).status_code == 200

    async def test_code_is_of_no_use_with_the_token_of_another_request(self, codes: Codes) -> None:
        _, code = await codes.requested(ARTHUR)
        other = await codes.request(ARTHUR)

        for token in (other, "invented"):
            assert (await codes.send(token, code)).json()["detail"] == "LOGIN_BAD_CODE"

    async def test_request_by_someone_else_leaves_a_code_usable(self, codes: Codes) -> None:
        token, code = await codes.requested(ARTHUR)
        strange = await codes.request(ARTHUR, codes.world.client_at("198.51.100.7"))
        for _ in range(6):
            await codes.send(strange, WRONG)

        assert (await codes.send(token, code)).status_code == 200

    async def test_code_expires(self, codes: Codes) -> None:
        token, code = await codes.requested(ARTHUR)
        await codes.world.sql("UPDATE mailed_code SET expires_at = now() - interval '1 second'")

        assert (await codes.send(token, code)).json()["detail"] == "LOGIN_BAD_CODE"

    @pytest.mark.parametrize(
        "change",
        ['UPDATE "user" SET is_active = false', 'UPDATE "user" SET updated_at = clock_timestamp()'],
        ids=["deactivated", "changed"],
    )
    async def test_code_ends_when_its_user_changes(self, codes: Codes, change: str) -> None:
        token, code = await codes.requested(ARTHUR)
        await codes.world.sql(change)

        assert (await codes.send(token, code)).json()["detail"] == "LOGIN_BAD_CODE"

    async def test_codes_are_refused_where_the_setting_does_not_allow_them(self, codes: Codes) -> None:
        token, code = await codes.requested(ARTHUR)
        codes.world.change_settings(sign_in_by_code=False)

        for answer in (
            await codes.send(token, code),
            await codes.send(token, code, "/auth/cookie/code"),
            await codes.world.client.post("/auth/code/request", json={"email": ARTHUR}),
        ):
            assert (answer.status_code, answer.json()["detail"]) == (403, "SIGN_IN_BY_CODE_DISABLED")

    @pytest.mark.parametrize("code", ["", "B" * 41, "\u00e4\u00f6\u00fc\u00df", "--------", "\x00", "12345678"])
    async def test_malformed_codes_are_refused(self, codes: Codes, code: str) -> None:
        assert (await codes.send(await codes.request(ARTHUR), code)).status_code in {400, 422}

    async def test_attempts_and_requests_are_rate_limited(self, codes: Codes) -> None:
        codes.world.change_settings(throttle_scale=0.05)
        tries = [await codes.send("invented", WRONG) for _ in range(4)]
        requests = [await codes.world.client.post("/auth/code/request", json={"email": ARTHUR}) for _ in range(2)]

        assert [each.status_code for each in tries] == [400, 400, 400, 429]
        assert [each.status_code for each in requests] == [202, 429]

    async def test_others_cannot_use_up_the_requests_of_a_known_network(self, codes: Codes) -> None:
        codes.world.change_settings(throttle_scale=1)
        await codes.send(*await codes.requested(ARTHUR))
        strange = codes.world.client_at("198.51.100.7")
        for _ in range(4):
            await codes.request(ARTHUR, strange)

        assert (await strange.post("/auth/code/request", json={"email": ARTHUR})).status_code == 429
        assert await codes.request(ARTHUR)


@pytest.mark.parametrize("state", ["unknown", "deactivated", "service account"])
async def test_no_mail_is_sent_without_an_active_person(codes: Codes, state: str) -> None:
    email = ARTHUR
    if state == "deactivated":
        await codes.world.user("arthur", is_active=False)
    elif state == "service account":
        owner = await codes.world.user("guinevere")
        group = await codes.world.group("Table", members={owner: Role.OWNER})
        path = f"/user-groups/{group.id}/service-accounts"
        headers = await codes.world.sign_in(owner)
        squire = (await codes.world.client.post(path, headers=headers, json={"name": "Squire"})).json()
        email = f"{squire['id']}@service.invalid"

    async with transaction(codes.world.sessionmaker) as db:
        token = await store.request(db, email)

    [request] = await stored(codes.world)
    assert (await codes.mail_ids(), request.user_id) == ([], None)
    assert (await codes.send(token, derive_code(codes.world.key, request.mail_id))).status_code == 400


class TestUnverifiedUser:
    """A stranger may have signed up with the address and wait for its owner."""

    async def test_sign_in_ends_every_way_in_that_was_there_before(self, codes: Codes) -> None:
        stranger = await codes.world.user("arthur")
        session = await codes.world.sign_in(stranger)
        key = await codes.world.access_key(stranger, "profile:read")
        async with transaction(codes.world.sessionmaker) as db:
            await send_token(db, codes.world.key, ARTHUR, Purpose.RESET)
            db.add(Totp(user_id=stranger.id, secret_sealed=b"sealed", confirmed_at=datetime.now(UTC)))
            (await db.get_one(User, stranger.id)).second_factors = [Factor.TOTP]

        answer = await codes.send(*await codes.requested(ARTHUR))

        user = await reloaded(codes.world, stranger)
        assert (answer.status_code, user.is_verified, user.hashed_password) == (200, True, UNUSABLE)
        assert (await codes.world.login(ARTHUR)).status_code == 400
        for headers in (session, key):
            assert (await codes.world.client.get("/users/me", headers=headers)).status_code == 401
        async with transaction(codes.world.sessionmaker) as db:
            for table in (OneTimeToken, Totp):
                assert (await db.exec(select(table))).all() == []
        assert user.second_factors == []
        [notice] = await codes.world.mails(MailKind.SECURITY_CHANGED)
        assert (notice.email, notice.detail["change"]) == (ARTHUR, "account_claimed")

    async def test_user_without_a_password_gets_no_notice(self, codes: Codes) -> None:
        await codes.world.user("arthur", hashed_password=UNUSABLE)

        assert (await codes.send(*await codes.requested(ARTHUR))).status_code == 200
        assert await codes.world.mails(MailKind.SECURITY_CHANGED) == []

    async def test_wrong_code_leaves_the_user_as_it_is(self, codes: Codes) -> None:
        user = await codes.world.user("arthur")
        await codes.send(await codes.request(ARTHUR), WRONG)

        assert not (await reloaded(codes.world, user)).is_verified
        assert (await codes.world.login(ARTHUR, PASSWORD)).status_code == 200


@pytest.mark.usefixtures("arthur")
class TestRows:
    async def test_lifetime_begins_when_the_mail_is_written_unless_it_waited_for_an_hour(self, codes: Codes) -> None:
        await codes.request(ARTHUR)
        [mail_id] = await codes.mail_ids()
        seen = []
        for expire in EXPIRED:
            await codes.world.sql(expire)
            async with transaction(codes.world.sessionmaker) as db:
                seen.append(await store.activate(db, mail_id) is not None)

        assert seen == [True, False]

    async def test_rows_are_deleted_an_hour_after_they_expire(self, codes: Codes) -> None:
        await codes.request(ARTHUR)
        await codes.request("nobody@camelot.example.com")
        left = []
        for expire in EXPIRED:
            await codes.world.sql(expire)
            async with codes.world.owner() as db:
                await delete_expired(db, codes.world.state["settings"])
            left.append(len(await stored(codes.world)))

        assert left == [2, 0]

    async def test_rows_go_with_their_user(self, codes: Codes, arthur: User) -> None:
        await codes.request(ARTHUR)
        headers = await codes.world.sign_in(arthur)

        assert (await codes.world.client.delete("/users/me", headers=headers)).status_code == 204
        assert await stored(codes.world) == []


def test_codes_have_eight_letters_that_spell_nothing_and_differ_by_mail_and_key() -> None:
    mails = [uuid.UUID(int=number) for number in range(200)]
    made = {derive_code(key, mail) for mail in mails for key in ("one", "other")}

    assert len(made) == 400
    assert {letter for code in made for letter in code} == {*LETTERS, "-"}
    assert all(len(code) == 9 and code[4] == "-" for code in made)
    assert not {*"AEIOUY0123456789"} & {*LETTERS}
    assert not is_code(["one"], mails[0], "")
