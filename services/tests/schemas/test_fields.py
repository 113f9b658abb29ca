"""Email addresses: all spellings of one address are one account."""

import asyncio

import pytest
from httpx2 import AsyncClient

from accounts.models import MailKind
from support.people import PASSWORD, World

STORED = "Zoë@münchen.example.com"
FULL_WIDTH = {ord("@"): "\uff20", ord("o"): "\uff4f", ord("."): "\uff0e"}
SPELLINGS = [
    STORED,
    "  Zoë@münchen.example.com\t",
    "ZOË@MÜNCHEN.EXAMPLE.COM",
    "Zoe\u0308@mu\u0308nchen.example.com",
    "Zoë@xn--mnchen-3ya.example.com",
    "zoë@XN--MNCHEN-3YA.EXAMPLE.com",
    STORED.translate(FULL_WIDTH),
    "Zoë@münchen\u3002example\uff61com",
    f"\ufeff\u200b\u202a {STORED}\u200e\u00a0\u202c",  # pasted
]
INVALID_EMAILS = [
    "Zoë",
    "@example.com",
    "zoë@",
    "zoë@xn--a.example.com",
    "zoë@münchen..com",
    "a b@example.com",
    "\ufdfa@example.com",
]


async def register(client: AsyncClient, email: str) -> tuple[int, str]:
    response = await client.post("/auth/register", json={"email": email, "password": PASSWORD})
    return response.status_code, response.json().get("detail") or response.json()["email"]


@pytest.mark.parametrize("email", SPELLINGS)
async def test_every_spelling_signs_in_to_the_one_account(client: AsyncClient, world: World, email: str) -> None:
    assert await register(client, STORED) == (201, STORED)

    assert (await world.login(email)).status_code == 200
    await register(client, email)
    assert len(await world.mails(MailKind.ACCOUNT_EXISTS)) == 1


@pytest.mark.parametrize("email", SPELLINGS)
async def test_every_spelling_registers_the_same_account(client: AsyncClient, world: World, email: str) -> None:
    status, stored = await register(client, email)

    assert (status, stored.lower(), stored.partition("@")[2]) == (201, STORED.lower(), "münchen.example.com")
    assert (await world.login(STORED)).status_code == 200


@pytest.mark.parametrize("email", SPELLINGS)
async def test_token_for_every_spelling_goes_to_the_stored_email(client: AsyncClient, world: World, email: str) -> None:
    await register(client, STORED)

    await client.post("/auth/forgot-password", json={"email": email})

    assert {mail.email for mail in await world.mails()} == {STORED}  # never to what was typed


async def test_concurrent_registrations_of_all_spellings_create_one_account(busy_world: World) -> None:
    answers = await asyncio.gather(*(register(busy_world.client, email) for email in SPELLINGS))

    assert {status for status, _ in answers} == {201}
    assert len(await busy_world.mails(MailKind.VERIFY)) == 1
    assert len(await busy_world.mails(MailKind.ACCOUNT_EXISTS)) == len(SPELLINGS) - 1


async def test_different_emails_stay_different(client: AsyncClient) -> None:
    emails = ["zoe@example.com", "zoë@example.com", "zoe@fass.example.com", "zoe@faß.example.com", "z.oe@example.com"]

    assert [await register(client, email) for email in emails] == [(201, email) for email in emails]


@pytest.mark.parametrize("email", INVALID_EMAILS)
async def test_invalid_email_is_refused_and_does_not_sign_in(client: AsyncClient, world: World, email: str) -> None:
    assert await register(client, email) == (422, "REQUEST_INVALID")
    assert (await world.login(email)).status_code == 400
