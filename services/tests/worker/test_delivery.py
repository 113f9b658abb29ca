"""Delivery from the queue to a real mail server: no mail is lost, and none is sent twice."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import SecretStr
from sqlmodel import select

from accounts.db.session import transaction
from accounts.domain.mail import queue
from accounts.models import MailKind, OutboxMail
from accounts.schemas import fields
from accounts.settings import get_settings
from accounts.settings_types import SignUp
from accounts.worker.delivery import Delivery
from accounts.worker.delivery_errors import ServerUnavailable
from accounts.worker.smtp import Smtp
from accounts.worker.stopping import Stop
from support.people import PASSWORD, World
from support.smtp import Mailbox, serving

ARTHUR = "arthur@camelot.example.com"
NEW_PASSWORD = "lancelot-and-elaine"
LINK = re.compile(r"http://localhost:8000/account/[\w-]+\?token=([\w-]+)")


def token(mailbox: Mailbox) -> str:
    body = mailbox.messages[-1].get_body(("plain",))
    assert body is not None
    link = LINK.search(body.get_content())
    assert link is not None
    return link[1]


@pytest.fixture
async def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
async def delivery(world: World, mailbox: Mailbox) -> AsyncIterator[Delivery]:
    async with serving(mailbox) as port:
        transport = Smtp("127.0.0.1", port, security="none", seconds=5)
        yield Delivery(world.sessionmaker, world.connect, transport, world.state["settings"], Stop())


async def outbox(world: World) -> list[OutboxMail]:
    async with transaction(world.sessionmaker) as db:
        return list(await db.exec(select(OutboxMail)))


async def forgot(world: World) -> None:
    await world.client.post("/auth/forgot-password", json={"email": ARTHUR})


async def due(world: World) -> None:
    await world.sql("UPDATE outbox SET next_at = now()")


async def test_delivered_mail_has_a_usable_token_and_leaves_the_queue(
    world: World, delivery: Delivery, mailbox: Mailbox
) -> None:
    await world.user("arthur")
    await forgot(world)
    [row] = await outbox(world)

    assert [await delivery.deliver_next() for _ in range(2)] == [True, False]

    [message] = mailbox.messages
    assert message["To"] == ARTHUR
    assert message["Message-ID"].startswith(f"<{row.id}@")
    assert await outbox(world) == []
    body = {"token": token(mailbox), "password": NEW_PASSWORD}
    assert (await world.client.post("/auth/reset-password", json=body)).status_code == 200


@pytest.mark.parametrize("email", ["a@b.local", "a@host.test", "user@localhost", "a@bücher.invalid"])
@pytest.mark.usefixtures("special_use_domains")
async def test_user_with_a_special_use_domain_signs_up_and_resets_the_password_by_mail(
    world: World, delivery: Delivery, mailbox: Mailbox, email: str
) -> None:
    world.change_settings(sign_up=SignUp.VERIFIED)
    await world.client.post("/auth/register", json={"email": email})
    assert await delivery.deliver_next()
    await world.client.post("/auth/complete-registration", json={"token": token(mailbox), "password": PASSWORD})
    headers = await world.sign_in(email)
    assert (await world.client.get("/users/me", headers=headers)).json()["email"] == email

    await world.client.post("/auth/forgot-password", json={"email": email.upper()})
    assert await delivery.deliver_next()
    body = {"token": token(mailbox), "password": NEW_PASSWORD}

    assert (await world.client.post("/auth/reset-password", json=body)).status_code == 200
    assert (await world.login(email, NEW_PASSWORD)).status_code == 200
    domain = email.partition("@")[2].encode("idna").decode()
    assert {str(each["To"]) for each in mailbox.messages} == {f"{email.partition('@')[0]}@{domain}"}


async def test_account_stays_usable_without_the_setting_that_let_it_be_created(
    world: World, delivery: Delivery, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``EMAIL_SPECIAL_USE_DOMAINS`` decides which emails may be stored, not which stored ones are used."""
    world.change_settings(sign_up=SignUp.VERIFIED)
    with monkeypatch.context() as before:
        allowing = get_settings().model_copy(update={"email_special_use_domains": True})
        before.setattr(fields, "get_settings", lambda: allowing)
        await world.client.post("/auth/register", json={"email": "a@b.local"})

    assert await delivery.deliver_next()
    body = {"token": token(mailbox), "password": PASSWORD}

    assert (await world.client.post("/auth/complete-registration", json=body)).status_code == 201
    assert (await world.login("a@b.local")).status_code == 200


async def test_mail_is_in_the_language_of_the_request(world: World, delivery: Delivery, mailbox: Mailbox) -> None:
    await world.user("arthur")
    await world.client.post("/auth/forgot-password", json={"email": ARTHUR}, headers={"Accept-Language": "de-AT, en"})

    await delivery.deliver_next()

    assert mailbox.messages[0]["Content-Language"] == "de"


@pytest.mark.parametrize("reply", ["451 Later", "450 Greylisted"])
async def test_temporarily_refused_mail_is_retried_with_the_same_id(
    world: World, delivery: Delivery, mailbox: Mailbox, reply: str
) -> None:
    await world.user("arthur")
    await forgot(world)
    mailbox.replies = [reply]

    await delivery.deliver_next()
    [row] = await outbox(world)
    assert not await delivery.deliver_next()
    assert (row.attempts, row.parked_at) == (1, None)
    assert reply[:3] in row.error
    assert ARTHUR not in row.error

    await due(world)
    await delivery.deliver_next()

    assert [message["Message-ID"].startswith(f"<{row.id}@") for message in mailbox.messages] == [True]
    body = {"token": token(mailbox), "password": NEW_PASSWORD}
    assert (await world.client.post("/auth/reset-password", json=body)).status_code == 200


async def test_permanently_refused_mail_is_parked(world: World, delivery: Delivery, mailbox: Mailbox) -> None:
    await world.user("arthur")
    await forgot(world)
    mailbox.replies = ["554 No"]

    await delivery.deliver_next()
    await due(world)

    assert not await delivery.deliver_next()
    [row] = await outbox(world)
    assert row.parked_at is not None
    assert "554" in row.error


async def test_mail_is_parked_after_the_last_attempt(world: World, delivery: Delivery, mailbox: Mailbox) -> None:
    await world.user("arthur")
    await forgot(world)
    await world.sql(f"UPDATE outbox SET attempts = {queue.MAX_ATTEMPTS - 1}")  # noqa: S608  # a number
    mailbox.replies = ["451 Later"]

    await delivery.deliver_next()

    assert [row.parked_at is None for row in await outbox(world)] == [False]


def test_retry_delay_grows_up_to_four_hours() -> None:
    waits = [queue.retry_delay(attempts).total_seconds() for attempts in range(1, queue.MAX_ATTEMPTS)]

    assert waits == sorted(waits)
    assert (waits[0], waits[1], waits[-1]) == (15, 45, 4 * 3600)


async def test_unreachable_server_does_not_count_as_an_attempt(world: World) -> None:
    await world.user("arthur")
    await forgot(world)
    async with serving(Mailbox()) as port:
        pass  # the port is closed again
    transport = Smtp("127.0.0.1", port, security="none")
    delivery = Delivery(world.sessionmaker, world.connect, transport, world.state["settings"], Stop())

    with pytest.raises(ServerUnavailable):
        await delivery.deliver_next()

    [row] = await outbox(world)
    assert (row.attempts, row.parked_at) == (0, None)
    assert row.error


async def use(world: World) -> None:
    body = {"token": await world.token(), "password": NEW_PASSWORD}
    assert (await world.client.post("/auth/reset-password", json=body)).status_code == 200


async def change(world: World) -> None:
    headers = await world.sign_in(ARTHUR)
    assert (await world.client.patch("/users/me", json={"password": NEW_PASSWORD}, headers=headers)).is_success


async def ask_again(world: World) -> None:
    await forgot(world)


@pytest.mark.parametrize(
    ("happens", "arrive"),
    [(use, {MailKind.PASSWORD_CHANGED}), (change, {MailKind.PASSWORD_CHANGED}), (ask_again, {MailKind.RESET})],
)
async def test_mail_with_a_used_or_replaced_token_is_not_sent(
    world: World, delivery: Delivery, mailbox: Mailbox, happens: Callable[[World], Any], arrive: set[MailKind]
) -> None:
    await world.user("arthur")
    await forgot(world)

    await happens(world)
    while await delivery.deliver_next():
        pass

    assert {message["X-Accounts-Mail"] for message in mailbox.messages} == arrive
    assert len(mailbox.messages) == 1


@pytest.mark.parametrize("replaced", [False, True], ids=["restored with another key", "replaced"])
async def test_log_says_if_a_token_belongs_to_no_key(
    busy_world: World, mailbox: Mailbox, caplog: pytest.LogCaptureFixture, *, replaced: bool
) -> None:
    """A token that was replaced is none of the operator's business."""
    caplog.set_level("INFO", "accounts.worker")
    world = busy_world
    await world.user("arthur")
    admin = await world.sign_in(await world.user("merlin", superuser=True, is_verified=True))
    await world.sql("DELETE FROM outbox")
    group = await world.client.post("/user-groups", json={"name": "Round Table"}, headers=admin)
    world.change_settings(sign_up=SignUp.VERIFIED)
    for again in range(1 + replaced):
        await forgot(world)
        await world.client.post("/auth/register", json={"email": "kay@x.org"})
        path = f"/user-groups/{group.json()['id']}/invitations"
        if again:
            [shown] = (await world.client.get(path, headers=admin)).json()
            path = f"{path}/{shown['id']}/resend"
        answer = await world.client.post(path, json=None if again else {"email": "enid@x.org"}, headers=admin)
        assert answer.is_success, answer.text
    if not replaced:
        world.change_settings(secret_key=SecretStr("another-key-of-more-than-thirty-two-characters"))
    async with serving(mailbox) as port:
        transport = Smtp("127.0.0.1", port, security="none", seconds=5)
        delivery = Delivery(world.sessionmaker, world.connect, transport, world.state["settings"], Stop())

        while await delivery.deliver_next():
            pass

    assert len(mailbox.messages) == (3 if replaced else 0)
    warnings = [each for each in caplog.records if "belongs to no key in SECRET_KEY" in each.getMessage()]
    assert len(warnings) == (0 if replaced else 3)
    assert [each.levelname for each in warnings] == ["WARNING"] * len(warnings)
    assert await outbox(world) == []


async def test_token_lifetime_starts_when_the_mail_is_composed(
    world: World, delivery: Delivery, mailbox: Mailbox
) -> None:
    await world.user("arthur")
    await forgot(world)
    await world.sql("UPDATE one_time_token SET expires_at = now() - interval '1 day'")  # the server was away

    await delivery.deliver_next()

    body = {"token": token(mailbox), "password": NEW_PASSWORD}
    assert (await world.client.post("/auth/reset-password", json=body)).status_code == 200


async def test_mail_that_cannot_be_composed_does_not_block_the_queue(
    world: World, delivery: Delivery, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    await world.user("arthur")
    await world.user("guinevere")
    await forgot(world)
    await world.client.post("/auth/forgot-password", json={"email": "guinevere@camelot.example.com"})
    await world.sql("UPDATE outbox SET email = 'no address' WHERE email LIKE 'arthur%'")

    assert [await delivery.deliver_next() for _ in range(2)] == [True, True]

    assert len(mailbox.messages) == 1
    assert [row.error for row in await outbox(world)] == ["cannot be composed: ValueError"]
    assert "no address" not in caplog.text
