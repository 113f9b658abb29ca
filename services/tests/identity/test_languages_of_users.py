"""The language that users choose: set by the API, followed by pages and by mail that they cause and receive."""

import pytest
from sqlmodel import col, select

from accounts.api.languages import COOKIE
from accounts.db.session import transaction
from accounts.models import MailKind, OutboxMail, Role
from support.people import World

GERMAN = {"Accept-Language": "de"}


async def languages_of_mail(world: World, kind: MailKind) -> list[str]:
    async with transaction(world.sessionmaker) as db:
        statement = select(OutboxMail.language).where(col(OutboxMail.kind) == kind).order_by(col(OutboxMail.id))
        return list((await db.exec(statement)).all())


async def test_user_sets_and_resets_the_language_without_signing_in_again(world: World) -> None:
    headers = await world.sign_in(await world.user("arthur"))
    await world.sql("UPDATE user_session SET authenticated_at = '2020-01-01Z'")

    before = await world.client.get("/users/me", headers=headers)
    changed = await world.client.patch("/users/me", json={"language": "DE"}, headers=headers)
    unchanged = await world.client.patch("/users/me", json={"display_name": "Rex"}, headers=headers)
    export = await world.client.get("/users/me/export", headers=headers)
    reset = await world.client.patch("/users/me", json={"language": None}, headers=headers)

    answers = (before, changed, unchanged, reset)
    assert [answer.json()["language"] for answer in answers] == [None, "de", "de", None]
    assert export.json()["user"]["language"] == "de"


@pytest.mark.parametrize("language", ["xx", "", "d" * 36, "de-", 1])
async def test_language_without_a_catalogue_is_refused(world: World, language: object) -> None:
    headers = await world.sign_in(await world.user("arthur"))

    refused = await world.client.patch("/users/me", json={"language": language}, headers=headers)

    assert refused.status_code == 422
    assert (await world.client.get("/users/me", headers=headers)).json()["language"] is None


async def test_mail_to_others_is_in_the_language_of_the_user_who_causes_it(world: World) -> None:
    arthur = await world.user("arthur", is_verified=True, language="de")
    group = await world.group("Round Table", members={arthur: Role.OWNER})
    headers = await world.sign_in(arthur) | {"Accept-Language": "en"}

    invited = await world.client.post(
        f"/user-groups/{group.id}/invitations", json={"email": "kay@camelot.example.com"}, headers=headers
    )

    assert invited.status_code == 201
    assert await languages_of_mail(world, MailKind.INVITATION) == ["de"]


@pytest.mark.parametrize(("chosen", "language"), [("de", "de"), ("en", "en"), ("xx", "de"), ("", "de")])
async def test_mail_of_a_signed_out_client_follows_the_language_chosen_on_a_page(
    world: World, chosen: str, language: str
) -> None:
    await world.user("arthur")

    headers = GERMAN | {"Cookie": f"{COOKIE}={chosen}"}
    await world.client.post("/auth/forgot-password", json={"email": "arthur@camelot.example.com"}, headers=headers)

    assert await languages_of_mail(world, MailKind.RESET) == [language]
