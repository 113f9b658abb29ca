"""One mail after the other, to a real mail server that has its moods: none is lost, and none comes twice."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlmodel import select

from accounts.db.session import transaction
from accounts.domain.mail import queue
from accounts.models import MailKind, OutboxMail
from accounts.worker.delivery import Delivery
from accounts.worker.delivery_errors import ServerUnavailable
from accounts.worker.smtp import Smtp
from support.people import World
from support.smtp import Mailbox, serving

ARTHUR = "arthur@camelot.example.com"
NEW_PASSWORD = "lancelot-and-elaine"
LINK = re.compile(r"http://localhost:8000/account/[\w-]+\?token=([\w-]+)")


def token(mailbox: Mailbox) -> str:
    body = mailbox.messages[-1].get_body(("plain",))
    assert body is not None
    found = LINK.search(body.get_content())
    assert found is not None
    return found[1]


@pytest.fixture
async def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
async def postman(world: World, mailbox: Mailbox) -> AsyncIterator[Delivery]:
    async with serving(mailbox) as port:
        transport = Smtp("127.0.0.1", port, security="none", seconds=5)
        yield Delivery(world.sessionmaker, transport, world.state["settings"])


async def outbox(world: World) -> list[OutboxMail]:
    async with transaction(world.sessionmaker) as db:
        return list(await db.exec(select(OutboxMail)))


async def forgot(world: World) -> None:
    await world.client.post("/auth/forgot-password", json={"email": ARTHUR})


async def due(world: World) -> None:
    await world.sql("UPDATE outbox SET next_at = now()")


async def test_delivers_a_token_that_works_and_forgets_the_mail(
    world: World, postman: Delivery, mailbox: Mailbox
) -> None:
    await world.user("arthur")
    await forgot(world)
    [row] = await outbox(world)

    assert [await postman.deliver() for _ in range(2)] == [True, False]

    [message] = mailbox.messages
    assert message["To"] == ARTHUR
    assert message["Message-ID"].startswith(f"<{row.id}@")
    assert await outbox(world) == []
    body = {"token": token(mailbox), "password": NEW_PASSWORD}
    assert (await world.client.post("/auth/reset-password", json=body)).status_code == 200


async def test_writes_in_the_language_that_was_asked_in(world: World, postman: Delivery, mailbox: Mailbox) -> None:
    await world.user("arthur")
    await world.client.post("/auth/forgot-password", json={"email": ARTHUR}, headers={"Accept-Language": "de-AT, en"})

    await postman.deliver()

    assert mailbox.messages[0]["Content-Language"] == "de"


@pytest.mark.parametrize("reply", ["451 Later", "450 Greylisted"])
async def test_waits_when_told_to_and_then_sends_the_same_mail(
    world: World, postman: Delivery, mailbox: Mailbox, reply: str
) -> None:
    await world.user("arthur")
    await forgot(world)
    mailbox.replies = [reply]

    await postman.deliver()
    [row] = await outbox(world)
    assert not await postman.deliver()
    assert (row.attempts, row.parked_at) == (1, None)
    assert reply[:3] in row.error
    assert ARTHUR not in row.error

    await due(world)
    await postman.deliver()

    assert [message["Message-ID"].startswith(f"<{row.id}@") for message in mailbox.messages] == [True]
    body = {"token": token(mailbox), "password": NEW_PASSWORD}
    assert (await world.client.post("/auth/reset-password", json=body)).status_code == 200


async def test_gives_up_what_is_refused_and_keeps_it_to_be_seen(
    world: World, postman: Delivery, mailbox: Mailbox
) -> None:
    await world.user("arthur")
    await forgot(world)
    mailbox.replies = ["554 No"]

    await postman.deliver()
    await due(world)

    assert not await postman.deliver()
    [row] = await outbox(world)
    assert row.parked_at is not None
    assert "554" in row.error


async def test_gives_up_after_the_last_attempt(world: World, postman: Delivery, mailbox: Mailbox) -> None:
    await world.user("arthur")
    await forgot(world)
    await world.sql(f"UPDATE outbox SET attempts = {queue.ATTEMPTS - 1}")  # noqa: S608  # a number
    mailbox.replies = ["451 Later"]

    await postman.deliver()

    assert [row.parked_at is None for row in await outbox(world)] == [False]


def test_waits_longer_each_time() -> None:
    waits = [queue.retry_delay(attempts).total_seconds() for attempts in range(1, queue.ATTEMPTS)]

    assert waits == sorted(waits)
    assert (waits[0], waits[1], waits[-1]) == (15, 45, 4 * 3600)


async def test_a_server_that_is_away_costs_no_attempt(world: World) -> None:
    await world.user("arthur")
    await forgot(world)
    async with serving(Mailbox()) as port:
        pass  # so that nobody listens there any more
    postman = Delivery(world.sessionmaker, Smtp("127.0.0.1", port, security="none"), world.state["settings"])

    with pytest.raises(ServerUnavailable):
        await postman.deliver()

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
async def test_a_token_that_is_good_for_nothing_any_more_is_not_sent(
    world: World, postman: Delivery, mailbox: Mailbox, happens: Callable[[World], Any], arrive: set[MailKind]
) -> None:
    await world.user("arthur")
    await forgot(world)

    await happens(world)
    while await postman.deliver():
        pass

    assert {message["X-Accounts-Mail"] for message in mailbox.messages} == arrive
    assert len(mailbox.messages) == 1


async def test_a_token_lives_from_when_it_is_written(world: World, postman: Delivery, mailbox: Mailbox) -> None:
    await world.user("arthur")
    await forgot(world)
    await world.sql("UPDATE one_time_token SET expires_at = now() - interval '1 day'")  # the server was away

    await postman.deliver()

    body = {"token": token(mailbox), "password": NEW_PASSWORD}
    assert (await world.client.post("/auth/reset-password", json=body)).status_code == 200


async def test_what_cannot_be_written_is_in_nobodys_way(
    world: World, postman: Delivery, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    await world.user("arthur")
    await world.user("guinevere")
    await forgot(world)
    await world.client.post("/auth/forgot-password", json={"email": "guinevere@camelot.example.com"})
    await world.sql("UPDATE outbox SET email = 'no address' WHERE email LIKE 'arthur%'")

    assert [await postman.deliver() for _ in range(2)] == [True, True]

    assert len(mailbox.messages) == 1
    assert [row.error for row in await outbox(world)] == ["cannot be written: ValueError"]
    assert "no address" not in caplog.text
