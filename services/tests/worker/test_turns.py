"""Several mails that one delivery leases at once: none waits for another, is lost, or is sent twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from email.message import EmailMessage

import pytest
from sqlalchemy import func
from sqlmodel import col, select

from accounts.db.session import transaction
from accounts.domain.mail.outbox import OutgoingMail, enqueue
from accounts.models import MailKind, OutboxMail
from accounts.worker import delivery as delivery_module
from accounts.worker.delivery import MOST, Delivery
from accounts.worker.delivery_errors import ServerUnavailable
from accounts.worker.smtp import Smtp
from accounts.worker.stopping import Stop
from accounts.worker.transports import Transport
from support.people import World
from support.smtp import Mailbox, serving


class Post:
    """A transport that counts what it sends, and does what a test wants at each mail."""

    def __init__(self) -> None:
        self.stop, self.sent = Stop(), Counter[str]()
        self.seconds, self.stops_at, self.closes_at = 0.0, 0, 0

    async def send(self, message: EmailMessage) -> None:
        if self.closes_at and self.sent.total() + 1 >= self.closes_at:
            raise ServerUnavailable("no connection to the mail server")
        await asyncio.sleep(self.seconds)
        self.sent[message["To"].addresses[0].username] += 1
        if self.sent.total() == self.stops_at:
            self.stop.request()

    async def close(self) -> None:
        pass


def delivery_by(world: World, transport: Transport, stop: Stop) -> Delivery:
    return Delivery(world.sessionmaker, world.connect, transport, world.state["settings"], stop)


async def post(world: World, *names: str, kind: MailKind = MailKind.PASSWORD_CHANGED) -> None:
    async with transaction(world.sessionmaker) as db:
        await enqueue(db, kind, [OutgoingMail(f"{name}@x.org") for name in names])


async def left(world: World) -> list[tuple[str, int, str]]:
    """Return the names, attempts and errors of the mails that are due."""
    due = select(OutboxMail).where(col(OutboxMail.next_at) <= func.now(), col(OutboxMail.parked_at).is_(None))
    async with transaction(world.sessionmaker) as db:
        mails = await db.exec(due.order_by(col(OutboxMail.id)))
        return [(mail.email.partition("@")[0], mail.attempts, mail.error) for mail in mails]


@pytest.fixture
async def mailbox() -> AsyncIterator[tuple[Mailbox, int]]:
    mailbox = Mailbox()
    async with serving(mailbox) as port:
        yield mailbox, port


async def test_mails_that_are_leased_together_are_each_sent_once_and_in_their_order(world: World) -> None:
    post_office = Post()
    delivery = delivery_by(world, post_office, post_office.stop)
    names = [f"knight{number:02}" for number in range(30)]
    await post(world, *names)

    leases = 0
    while await delivery.deliver_next():
        leases += 1

    assert list(post_office.sent.elements()) == names
    assert leases < len(names) / 3
    assert await left(world) == []


async def test_mail_that_is_refused_does_not_hold_up_those_leased_with_it(
    world: World, mailbox: tuple[Mailbox, int]
) -> None:
    server, port = mailbox
    delivery = delivery_by(world, Smtp("127.0.0.1", port, security="none"), Stop())
    await post(world, *"abc")
    await delivery.deliver_next()
    server.replies = ["554 No"]

    await delivery.deliver_next()

    assert [message["To"].addresses[0].username for message in server.messages] == ["a", "c"]
    async with transaction(world.sessionmaker) as db:
        [parked] = await db.exec(select(OutboxMail))
    assert (parked.email, parked.parked_at is None) == ("b@x.org", False)


async def test_urgent_mail_waits_for_one_mail_only_if_the_server_is_slow(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_module, "TURN_SECONDS", 0.05)
    post_office = Post()
    delivery = delivery_by(world, post_office, post_office.stop)
    await post(world, *"abcdefg")
    for _ in range(2):
        await delivery.deliver_next()
    post_office.seconds = 0.1

    await delivery.deliver_next()
    await post(world, "x", kind=MailKind.ACCOUNT_EXISTS)
    await world.sql("UPDATE outbox SET turn = -1 WHERE email = 'x@x.org'")
    assert await left(world) == [(name, 0, "") for name in "efgx"]
    await delivery.deliver_next()

    assert list(post_office.sent) == list("abcdx")


async def test_stop_puts_back_what_was_leased_and_not_begun(world: World) -> None:
    post_office = Post()
    post_office.stops_at = 2
    delivery = delivery_by(world, post_office, post_office.stop)
    await post(world, *"abc")

    for _ in range(2):
        await delivery.deliver_next()

    assert list(post_office.sent) == ["a", "b"]
    assert await left(world) == [("c", 0, "")]


async def test_all_mails_are_due_again_if_the_server_goes_away(world: World) -> None:
    post_office = Post()
    post_office.closes_at = 2
    delivery = delivery_by(world, post_office, post_office.stop)
    await post(world, *"abc")
    await delivery.deliver_next()

    with pytest.raises(ServerUnavailable):
        await delivery.deliver_next()

    assert await left(world) == [("b", 0, "no connection to the mail server"), ("c", 0, "")]


async def test_deliveries_at_once_share_the_queue_without_sending_twice(busy_world: World) -> None:
    post_office = Post()
    names = [f"knight{number}" for number in range(10 * MOST)]
    await post(busy_world, *names)
    deliveries = [delivery_by(busy_world, post_office, post_office.stop) for _ in range(3)]

    async def deliver_all(delivery: Delivery) -> None:
        while await delivery.deliver_next():
            pass

    await asyncio.gather(*map(deliver_all, deliveries))

    assert post_office.sent == Counter(names)
    assert await left(busy_world) == []
