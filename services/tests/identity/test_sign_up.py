"""SIGN_UP: who may create an account, and that the password is the one that the owner of the mailbox chose."""

import asyncio
from typing import Any

import pytest
from httpx2 import Response

from accounts.models import MailKind
from accounts.settings import SignUp
from support.invitations import GALAHAD, table_of
from support.people import PASSWORD, World

EMAIL = GALAHAD
OTHER_PASSWORD = "a-sword-in-a-stone"
COMPLETE = "/auth/complete-registration"


@pytest.fixture
def verified(world: World) -> World:
    world.change_settings(sign_up=SignUp.VERIFIED)
    return world


async def register(world: World, email: str = EMAIL, **more: Any) -> Response:
    return await world.client.post("/auth/register", json={"email": email} | more)


async def complete(world: World, token: str, password: str = PASSWORD, **more: Any) -> Response:
    return await world.client.post(COMPLETE, json={"token": token, "password": password} | more)


async def test_account_exists_once_the_mailed_token_is_used(verified: World) -> None:
    registered = await register(verified)
    assert registered.status_code == 201
    assert (await verified.login(EMAIL)).status_code == 400

    created = await complete(verified, await verified.token(), display_name="Galahad")

    assert created.status_code == 201
    user = created.json()
    assert (user["email"], user["display_name"], user["is_verified"]) == (EMAIL, "Galahad", True)
    assert user.keys() == registered.json().keys()
    assert user["id"] != registered.json()["id"]
    assert (await verified.login(EMAIL)).status_code == 200


async def test_password_and_name_of_the_person_who_registered_are_not_kept(verified: World) -> None:
    await register(verified, password=OTHER_PASSWORD, display_name="Mordred")
    created = await complete(verified, await verified.token())

    assert created.json()["display_name"] == ""
    assert (await verified.login(EMAIL, OTHER_PASSWORD)).status_code == 400
    assert (await verified.login(EMAIL)).status_code == 200


async def test_later_registration_replaces_the_earlier_one(verified: World) -> None:
    await register(verified)
    earlier = await verified.token()
    await register(verified, EMAIL.upper())

    refused = await complete(verified, earlier)
    created = await complete(verified, await verified.token())

    assert (refused.status_code, refused.json()["detail"]) == (400, "REGISTER_BAD_TOKEN")
    assert created.status_code == 201


@pytest.mark.parametrize("expire", [True, False])
async def test_token_is_refused_when_it_is_used_or_expired(verified: World, *, expire: bool) -> None:
    await register(verified)
    token = await verified.token()
    if expire:
        await verified.sql("UPDATE pending_registration SET expires_at = now()")
    else:
        await complete(verified, token)

    refused = await complete(verified, token)

    assert (refused.status_code, refused.json()["detail"]) == (400, "REGISTER_BAD_TOKEN")


async def test_refused_password_leaves_the_token_valid(verified: World) -> None:
    await register(verified)
    token = await verified.token()

    refused = await complete(verified, token, "galahad-galahad", display_name="Galahad")

    assert (refused.status_code, refused.json()["detail"]) == (400, "REGISTER_INVALID_PASSWORD")
    assert (await complete(verified, token)).status_code == 201


async def test_owner_of_a_taken_email_is_notified(verified: World) -> None:
    galahad = await verified.user("galahad")

    assert (await register(verified)).status_code == 201

    assert [mail[:2] for mail in await verified.mails()] == [(MailKind.ACCOUNT_EXISTS, galahad.email)]


async def test_email_that_was_taken_meanwhile_is_refused_and_nothing_is_lost(verified: World) -> None:
    await register(verified)
    token = await verified.token()
    await verified.user("galahad")

    refused = await complete(verified, token)

    assert (refused.status_code, refused.json()["detail"]) == (400, "REGISTER_USER_ALREADY_EXISTS")


async def test_one_of_concurrent_completions_creates_the_user(busy_world: World) -> None:
    busy_world.change_settings(sign_up=SignUp.VERIFIED)
    await register(busy_world)
    token = await busy_world.token()

    answers = await asyncio.gather(*(complete(busy_world, token, f"{PASSWORD}-{n}") for n in range(4)))

    assert sorted(answer.status_code for answer in answers) == [201, 400, 400, 400]
    winner = [answer.status_code for answer in answers].index(201)
    assert (await busy_world.login(EMAIL, f"{PASSWORD}-{winner}")).status_code == 200


@pytest.mark.parametrize(
    ("sign_up", "alone", "with_invitation"),
    [
        (SignUp.VERIFIED, 201, 201),
        (SignUp.OPEN, 201, 201),
        (SignUp.INVITED, "REGISTER_INVITATION_REQUIRED", 201),
        (SignUp.CLOSED, "REGISTER_CLOSED", "REGISTER_CLOSED"),
    ],
)
async def test_setting_says_who_may_register(
    world: World, sign_up: SignUp, alone: int | str, with_invitation: int | str
) -> None:
    token = await (await table_of(world)).token(EMAIL)
    world.change_settings(sign_up=sign_up)

    answers = [
        await register(world, "lancelot@example.com", password=PASSWORD),
        await register(world, password=PASSWORD, invitation=token),
    ]

    outcomes = [answer.json()["detail"] if answer.status_code == 403 else answer.status_code for answer in answers]
    assert outcomes == [alone, with_invitation]


async def test_invitation_creates_the_account_at_once(verified: World) -> None:
    token = await (await table_of(verified)).token(EMAIL)

    created = await register(verified, password=PASSWORD, invitation=token)

    assert created.json()["is_verified"] is True
    headers = await verified.sign_in(EMAIL)
    assert len((await verified.client.get("/users/me/groups", headers=headers)).json()) == 1


@pytest.mark.parametrize("sign_up", [SignUp.OPEN, SignUp.VERIFIED])
async def test_password_is_required_where_the_account_is_created_at_once(world: World, sign_up: SignUp) -> None:
    more = {"invitation": await (await table_of(world)).token(EMAIL)} if sign_up is SignUp.VERIFIED else {}
    world.change_settings(sign_up=sign_up)

    refused = await register(world, **more)

    assert (refused.status_code, refused.json()["detail"]) == (400, "REGISTER_INVALID_PASSWORD")
