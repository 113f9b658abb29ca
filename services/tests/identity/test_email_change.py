"""Change of email: confirmed from the new address, undone from the previous one."""

import asyncio

import pytest
from httpx2 import AsyncClient, Response

from accounts.db.session import transaction
from accounts.domain import errors
from accounts.domain.identity.email_change import EmailChangeManager
from accounts.models import MailKind
from support.people import PASSWORD, World

OLD, NEW = "arthur@camelot.example.com", "rex@camelot.example.com"


async def request_change(world: World, headers: dict[str, str], email: str = NEW) -> Response:
    return await world.client.patch("/users/me", json={"email": email}, headers=headers)


async def token_of(world: World, kind: MailKind) -> str:
    return (await world.mails(kind))[-1].token


async def confirm(world: World, token: str) -> Response:
    return await world.client.post("/auth/confirm-email", json={"token": token})


async def undo(world: World, token: str) -> Response:
    return await world.client.post("/auth/undo-email", json={"token": token})


@pytest.fixture
async def headers(world: World) -> dict[str, str]:
    return await world.sign_in(await world.user("arthur"))


class TestConfirm:
    async def test_change_asks_the_new_email_for_confirmation_and_changes_nothing_yet(
        self, world: World, headers: dict[str, str]
    ) -> None:
        response = await request_change(world, headers)

        assert (response.status_code, response.json()["email"]) == (200, OLD)
        assert [mail[:2] for mail in await world.mails()] == [(MailKind.CONFIRM_EMAIL, NEW)]
        assert (await world.login(OLD)).status_code == 200
        assert (await world.login(NEW)).status_code == 400

    async def test_confirmation_changes_and_verifies_the_email_and_ends_all_sessions(
        self, world: World, headers: dict[str, str]
    ) -> None:
        await request_change(world, headers)

        response = await confirm(world, await world.token())

        assert (response.status_code, response.json()["email"], response.json()["is_verified"]) == (200, NEW, True)
        assert (await world.client.get("/users/me", headers=headers)).status_code == 401
        assert [(await world.login(each)).status_code for each in (OLD, NEW)] == [400, 200]

    async def test_confirmation_token_works_once(self, world: World, headers: dict[str, str]) -> None:
        await request_change(world, headers)
        token = await world.token()

        responses = [await confirm(world, token), await confirm(world, token)]

        assert [each.status_code for each in responses] == [200, 400]
        assert responses[1].json()["detail"] == "CONFIRM_EMAIL_BAD_TOKEN"

    async def test_only_the_last_requested_email_can_be_confirmed(self, world: World, headers: dict[str, str]) -> None:
        await request_change(world, headers)
        older = await world.token()
        await request_change(world, headers, "pendragon@camelot.example.com")

        assert (await confirm(world, older)).status_code == 400
        assert (await confirm(world, await world.token())).json()["email"] == "pendragon@camelot.example.com"

    @pytest.mark.parametrize("path", ["/auth/verify", "/auth/undo-email"])
    async def test_confirmation_token_works_for_no_other_purpose(
        self, world: World, headers: dict[str, str], path: str
    ) -> None:
        await request_change(world, headers)

        assert (await world.client.post(path, json={"token": await world.token()})).status_code == 400

    async def test_confirmation_token_is_refused_after_a_change_of_password(
        self, world: World, headers: dict[str, str]
    ) -> None:
        await request_change(world, headers)
        token = await world.token()
        await world.client.patch("/users/me", json={"password": "lancelot-and-elaine"}, headers=headers)

        assert (await confirm(world, token)).status_code == 400

    async def test_only_the_owner_of_a_taken_email_learns_of_the_request(
        self, world: World, headers: dict[str, str]
    ) -> None:
        guinevere = await world.user("guinevere")

        response = await request_change(world, headers, guinevere.email)

        assert (response.status_code, response.json()["email"]) == (200, OLD)
        assert [mail[:2] for mail in await world.mails()] == [(MailKind.ACCOUNT_EXISTS, guinevere.email)]

    async def test_requester_cannot_find_out_whether_an_email_is_taken(
        self, world: World, headers: dict[str, str]
    ) -> None:
        taken = (await world.user("guinevere")).email
        seen = []
        for email in ("free@camelot.example.com", taken):
            await request_change(world, headers)
            earlier = await world.token()
            await request_change(world, headers, email)
            document = (await world.client.get("/users/me/export", headers=headers)).json()
            seen.append((document | {"exported_at": None}, (await confirm(world, earlier)).status_code))

        assert seen[0] == seen[1]

    async def test_user_can_change_the_case_of_the_email(self, world: World, headers: dict[str, str]) -> None:
        await request_change(world, headers, OLD.upper())

        response = await confirm(world, await world.token())

        assert response.json()["email"] == "ARTHUR@camelot.example.com"

    async def test_requests_to_change_to_an_email_are_rate_limited(self, world: World, headers: dict[str, str]) -> None:
        world.change_settings(throttle_scale=1)

        responses = [await request_change(world, headers) for _ in range(6)]

        assert [each.status_code for each in responses] == [200] * 5 + [429]
        assert len(await world.mails(MailKind.CONFIRM_EMAIL)) == 5

    async def test_only_one_of_six_concurrent_confirmations_gets_the_email(self, busy_world: World) -> None:
        for number in range(6):
            await request_change(busy_world, await busy_world.sign_in(await busy_world.user(f"knight{number}")))
        tokens = [token for _, _, token in await busy_world.tokens()]

        responses = await asyncio.gather(*(confirm(busy_world, token) for token in tokens))

        assert sorted(each.status_code for each in responses) == [200] + [400] * 5
        assert {each.json().get("detail") for each in responses} == {None, "UPDATE_USER_EMAIL_ALREADY_EXISTS"}


class TestUndo:
    @pytest.fixture
    async def undo_token(self, world: World, headers: dict[str, str]) -> str:
        """The token that was sent to the previous address after a change."""
        await request_change(world, headers)
        await confirm(world, await token_of(world, MailKind.CONFIRM_EMAIL))
        return await token_of(world, MailKind.EMAIL_CHANGED)

    async def test_undo_restores_the_email_and_mails_a_reset_token(self, world: World, undo_token: str) -> None:
        thief = await world.sign_in(NEW)

        response = await undo(world, undo_token)

        assert (response.status_code, response.json()["email"]) == (200, OLD)
        assert (await world.client.get("/users/me", headers=thief)).status_code == 401
        last = (await world.mails())[-1]
        assert (last.kind, last.email) == (MailKind.RESET, OLD)
        body = {"token": last.token, "password": "lancelot-and-elaine"}
        assert (await world.client.post("/auth/reset-password", json=body)).status_code == 200

    async def test_undo_token_survives_further_changes_by_a_thief(
        self, client: AsyncClient, world: World, undo_token: str
    ) -> None:
        thief = await world.sign_in(NEW)
        await client.patch("/users/me", json={"password": "mordred-was-here-1"}, headers=thief)
        await request_change(world, thief, "mordred@camelot.example.com")
        await confirm(world, await token_of(world, MailKind.CONFIRM_EMAIL))

        last = (await world.mails(MailKind.EMAIL_CHANGED))[-1]

        assert (last.email, last.detail["undo"]) == (NEW, False)
        assert (await undo(world, last.token)).json()["detail"] == "UNDO_EMAIL_BAD_TOKEN"
        assert (await undo(world, undo_token)).json()["email"] == OLD

    @pytest.mark.parametrize("thief_changes_the_password", [True, False])
    async def test_no_password_is_valid_after_the_undo_until_it_is_reset(
        self, world: World, undo_token: str, *, thief_changes_the_password: bool
    ) -> None:
        password = PASSWORD
        if thief_changes_the_password:
            password = "mordred-was-here-1"
            await world.client.patch("/users/me", json={"password": password}, headers=await world.sign_in(NEW))
        await undo(world, undo_token)

        assert (await world.login(OLD, password)).status_code == 400
        body = {"token": await token_of(world, MailKind.RESET), "password": "lancelot-and-elaine"}
        assert (await world.client.post("/auth/reset-password", json=body)).status_code == 200
        assert (await world.login(OLD, "lancelot-and-elaine")).status_code == 200

    async def test_undo_token_works_once(self, world: World, undo_token: str) -> None:
        assert [(await undo(world, undo_token)).status_code for _ in range(2)] == [200, 400]


async def test_superuser_changes_an_email_at_once_and_both_addresses_are_notified(world: World) -> None:
    arthur = await world.user("arthur", is_verified=True)
    admin = await world.sign_in(await world.user("merlin", superuser=True))

    response = await world.client.patch(f"/users/{arthur.id}", json={"email": NEW}, headers=admin)

    assert (response.json()["email"], response.json()["is_verified"]) == (NEW, False)
    mails = [(mail.kind, mail.email, mail.detail.get("undo")) for mail in await world.mails()]
    assert mails == [(MailKind.EMAIL_CHANGED, OLD, False), (MailKind.VERIFY, NEW, None)]


class TestPending:
    PATH = "/users/me/email-change"

    async def test_pending_change_is_shown_until_it_is_confirmed(self, world: World, headers: dict[str, str]) -> None:
        none = await world.client.get(self.PATH, headers=headers)
        await request_change(world, headers)
        pending = await world.client.get(self.PATH, headers=headers)
        await confirm(world, await world.token())
        after = await world.client.get(self.PATH, headers=await world.sign_in(NEW))

        assert [each.status_code for each in (none, pending, after)] == [404, 200, 404]
        assert none.json()["detail"] == "EMAIL_CHANGE_NOT_FOUND"
        assert pending.json().keys() == {"email", "requested_at"}
        assert pending.json()["email"] == NEW

    async def test_cancelled_change_cannot_be_confirmed(self, world: World, headers: dict[str, str]) -> None:
        await request_change(world, headers)

        cancelled = [await world.client.delete(self.PATH, headers=headers) for _ in range(2)]

        assert [each.status_code for each in cancelled] == [204, 204]
        assert (await confirm(world, await world.token())).status_code == 400
        assert (await world.client.get(self.PATH, headers=headers)).status_code == 404
        assert (await world.login(OLD)).status_code == 200

    async def test_cancelling_keeps_other_tokens_and_changes_of_others(
        self, world: World, headers: dict[str, str]
    ) -> None:
        kay = await world.user("kay")
        await request_change(world, await world.sign_in(kay), "other@camelot.example.com")
        await world.client.post("/auth/forgot-password", json={"email": OLD})

        await world.client.delete(self.PATH, headers=headers)

        assert (await confirm(world, await token_of(world, MailKind.CONFIRM_EMAIL))).status_code == 200
        body = {"token": await token_of(world, MailKind.RESET), "password": "lancelot-and-elaine"}
        assert (await world.client.post("/auth/reset-password", json=body)).status_code == 200

    async def test_resent_token_replaces_the_earlier_one(self, world: World, headers: dict[str, str]) -> None:
        await request_change(world, headers)
        earlier = await world.token()
        await world.sql("UPDATE user_session SET authenticated_at = '2020-01-01Z'")

        resent = await world.client.post(f"{self.PATH}/resend", headers=headers)

        assert resent.status_code == 202
        assert [mail.email for mail in await world.mails(MailKind.CONFIRM_EMAIL)] == [NEW, NEW]
        assert (await confirm(world, earlier)).status_code == 400
        assert (await confirm(world, await world.token())).status_code == 200

    async def test_nothing_is_resent_without_a_pending_change(self, world: World, headers: dict[str, str]) -> None:
        answer = await world.client.post(f"{self.PATH}/resend", headers=headers)

        assert (answer.status_code, answer.json()["detail"]) == (404, "EMAIL_CHANGE_NOT_FOUND")
        assert await world.mails() == []

    async def test_change_that_was_cancelled_meanwhile_is_not_resent(
        self, world: World, headers: dict[str, str]
    ) -> None:
        await request_change(world, headers)
        await world.client.delete(self.PATH, headers=headers)
        async with transaction(world.sessionmaker) as db:
            changes = EmailChangeManager(db, world.state["settings"])
            with pytest.raises(errors.EmailChangeNotFound):
                await changes.resend(await world.users(db).get_by_email(OLD))

    async def test_mail_that_is_resent_is_limited(self, world: World, headers: dict[str, str]) -> None:
        await request_change(world, headers)
        world.change_settings(throttle_scale=1)

        answers = [await world.client.post(f"{self.PATH}/resend", headers=headers) for _ in range(6)]

        assert [each.status_code for each in answers] == [202] * 4 + [429] * 2  # the request was the first

    async def test_requester_cannot_find_out_whether_an_email_is_taken_by_resending_or_cancelling(
        self, world: World, headers: dict[str, str]
    ) -> None:
        taken = (await world.user("guinevere")).email
        seen = []
        for email in ("free@camelot.example.com", taken):
            await request_change(world, headers, email)
            resent = await world.client.post(f"{self.PATH}/resend", headers=headers)
            await world.sql("UPDATE one_time_token SET requested_at = requested_at - interval '24 hours'")
            answers = [
                resent,
                await world.client.post(f"{self.PATH}/resend", headers=headers),
                await world.client.delete(self.PATH, headers=headers),
            ]
            seen.append([(each.status_code, each.text) for each in answers])

        assert seen[0] == seen[1]
        assert [mail[:2] for mail in await world.mails(MailKind.ACCOUNT_EXISTS)] == [
            (MailKind.ACCOUNT_EXISTS, taken)
        ] * 2
