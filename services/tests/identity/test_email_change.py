"""A new address is confirmed from itself, and taken back from the one before."""

import asyncio

import pytest
from httpx2 import AsyncClient, Response

from accounts.models import MailKind
from support.people import PASSWORD, World

OLD, NEW = "arthur@camelot.example.com", "rex@camelot.example.com"


async def ask(world: World, headers: dict[str, str], email: str = NEW) -> Response:
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


class TestConfirming:
    async def test_is_asked_for_at_the_new_address_and_changes_nothing_yet(
        self, world: World, headers: dict[str, str]
    ) -> None:
        response = await ask(world, headers)

        assert (response.status_code, response.json()["email"]) == (200, OLD)
        assert [mail[:2] for mail in await world.mails()] == [(MailKind.CONFIRM_EMAIL, NEW)]
        assert (await world.login(OLD)).status_code == 200
        assert (await world.login(NEW)).status_code == 400

    async def test_changes_the_address_verifies_it_and_ends_all_sessions(
        self, world: World, headers: dict[str, str]
    ) -> None:
        await ask(world, headers)

        response = await confirm(world, await world.token())

        assert (response.status_code, response.json()["email"], response.json()["is_verified"]) == (200, NEW, True)
        assert (await world.client.get("/users/me", headers=headers)).status_code == 401
        assert [(await world.login(each)).status_code for each in (OLD, NEW)] == [400, 200]

    async def test_works_once(self, world: World, headers: dict[str, str]) -> None:
        await ask(world, headers)
        token = await world.token()

        answers = [await confirm(world, token), await confirm(world, token)]

        assert [each.status_code for each in answers] == [200, 400]
        assert answers[1].json()["detail"] == "CONFIRM_EMAIL_BAD_TOKEN"

    async def test_of_the_last_address_asked_for_counts(self, world: World, headers: dict[str, str]) -> None:
        await ask(world, headers)
        older = await world.token()
        await ask(world, headers, "pendragon@camelot.example.com")

        assert (await confirm(world, older)).status_code == 400
        assert (await confirm(world, await world.token())).json()["email"] == "pendragon@camelot.example.com"

    @pytest.mark.parametrize("path", ["/auth/verify", "/auth/undo-email"])
    async def test_needs_its_own_token(self, world: World, headers: dict[str, str], path: str) -> None:
        await ask(world, headers)

        assert (await world.client.post(path, json={"token": await world.token()})).status_code == 400

    async def test_is_off_once_the_password_has_changed(self, world: World, headers: dict[str, str]) -> None:
        await ask(world, headers)
        token = await world.token()
        await world.client.patch("/users/me", json={"password": "lancelot-and-elaine"}, headers=headers)

        assert (await confirm(world, token)).status_code == 400

    async def test_tells_whoever_has_the_address_and_nobody_else(self, world: World, headers: dict[str, str]) -> None:
        guinevere = await world.user("guinevere")

        response = await ask(world, headers, guinevere.email)

        assert (response.status_code, response.json()["email"]) == (200, OLD)
        assert [mail[:2] for mail in await world.mails()] == [(MailKind.ACCOUNT_EXISTS, guinevere.email)]

    async def test_of_ones_own_address_in_another_case(self, world: World, headers: dict[str, str]) -> None:
        await ask(world, headers, OLD.upper())

        response = await confirm(world, await world.token())

        assert response.json()["email"] == "ARTHUR@camelot.example.com"

    async def test_is_asked_for_no_more_often_than_is_good_for_a_mailbox(
        self, world: World, headers: dict[str, str]
    ) -> None:
        world.state["settings"] = world.state["settings"].model_copy(update={"throttle_scale": 1})

        answers = [await ask(world, headers) for _ in range(6)]

        assert [each.status_code for each in answers] == [200] * 5 + [429]
        assert len(await world.mails(MailKind.CONFIRM_EMAIL)) == 5

    async def test_gives_an_address_to_one_of_six_at_once(self, busy_world: World) -> None:
        for number in range(6):
            await ask(busy_world, await busy_world.sign_in(await busy_world.user(f"knight{number}")))
        tokens = [token for _, _, token in await busy_world.tokens()]

        answers = await asyncio.gather(*(confirm(busy_world, token) for token in tokens))

        assert sorted(each.status_code for each in answers) == [200] + [400] * 5
        assert {each.json().get("detail") for each in answers} == {None, "UPDATE_USER_EMAIL_ALREADY_EXISTS"}


class TestUndoing:
    @pytest.fixture
    async def moved(self, world: World, headers: dict[str, str]) -> str:
        """The token that was sent to the address before."""
        await ask(world, headers)
        await confirm(world, await token_of(world, MailKind.CONFIRM_EMAIL))
        return await token_of(world, MailKind.EMAIL_CHANGED)

    async def test_gives_the_address_back_and_mails_a_token_for_a_new_password(self, world: World, moved: str) -> None:
        thief = await world.sign_in(NEW)

        response = await undo(world, moved)

        assert (response.status_code, response.json()["email"]) == (200, OLD)
        assert (await world.client.get("/users/me", headers=thief)).status_code == 401
        last = (await world.mails())[-1]
        assert (last.kind, last.email) == (MailKind.RESET, OLD)
        body = {"token": last.token, "password": "lancelot-and-elaine"}
        assert (await world.client.post("/auth/reset-password", json=body)).status_code == 200

    async def test_outlasts_what_a_thief_would_do_next(self, client: AsyncClient, world: World, moved: str) -> None:
        thief = await world.sign_in(NEW)
        await client.patch("/users/me", json={"password": "mordred-was-here-1"}, headers=thief)
        await ask(world, thief, "mordred@camelot.example.com")
        await confirm(world, await token_of(world, MailKind.CONFIRM_EMAIL))

        last = (await world.mails(MailKind.EMAIL_CHANGED))[-1]

        assert (last.email, last.detail["undo"]) == (NEW, False)
        assert (await undo(world, last.token)).json()["detail"] == "UNDO_EMAIL_BAD_TOKEN"
        assert (await undo(world, moved)).json()["email"] == OLD

    async def test_works_once(self, world: World, moved: str) -> None:
        assert [(await undo(world, moved)).status_code for _ in range(2)] == [200, 400]

    async def test_finds_that_somebody_else_has_got_the_address(self, world: World, moved: str) -> None:
        await world.client.post("/auth/register", json={"email": OLD, "password": PASSWORD})

        answer = await undo(world, moved)

        assert (answer.status_code, answer.json()["detail"]) == (400, "UPDATE_USER_EMAIL_ALREADY_EXISTS")


async def test_superusers_change_addresses_at_once_and_both_are_told(world: World) -> None:
    arthur = await world.user("arthur", is_verified=True)
    admin = await world.sign_in(await world.user("merlin", superuser=True))

    response = await world.client.patch(f"/users/{arthur.id}", json={"email": NEW}, headers=admin)

    assert (response.json()["email"], response.json()["is_verified"]) == (NEW, False)
    told = [(mail.kind, mail.email, mail.detail.get("undo")) for mail in await world.mails()]
    assert told == [(MailKind.EMAIL_CHANGED, OLD, False), (MailKind.VERIFY, NEW, None)]
