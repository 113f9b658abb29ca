"""The mail with the code: through a real mail server to the sign-in, and when it is not sent."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from accounts.domain.mail import queue
from accounts.worker.delivery import Delivery
from accounts.worker.smtp import Smtp
from accounts.worker.stopping import Stop
from support.mailed_codes import Codes
from support.people import World
from support.smtp import Mailbox, serving

ARTHUR = "arthur@camelot.example.com"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Safari/604.1"
CODE = re.compile(r"^ +([A-Z]{4}-[A-Z]{4})\r?$", re.MULTILINE)


async def delivered(world: World) -> list[EmailMessage]:
    """Deliver all queued mail by SMTP, and return it as it arrives."""
    mailbox = Mailbox()
    async with serving(mailbox) as port:
        transport = Smtp("127.0.0.1", port, security="none")
        delivery = Delivery(world.sessionmaker, world.connect, transport, world.state["settings"], Stop())
        while await delivery.deliver_next():
            pass
    messages = []
    for envelope in mailbox.envelopes:
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        messages.append(message)
    return messages


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    text: str = part.get_content()
    return text


@pytest.mark.parametrize("language", ["en", "de"])
async def test_mailed_code_signs_in_and_its_mail_names_the_site_and_who_asked(world: World, language: str) -> None:
    await world.user("arthur", is_verified=True)
    codes = Codes(world)
    headers = {"User-Agent": PHONE, "Accept-Language": language}
    requested = await world.client.post("/auth/code/request", json={"email": ARTHUR}, headers=headers)

    [message] = await delivered(world)

    text, marked_up = body(message, "plain"), body(message, "html")
    [code] = CODE.findall(text)
    assert (message["To"], message["Content-Language"], code in marked_up) == (ARTHUR, language, True)
    assert code not in message["Subject"]
    for shown in ("localhost:\u200b8000", "Safari", "iPhone", "127.0.0.1"):
        assert shown in text
    assert (await codes.send(requested.json()["code_token"], code)).status_code == 200


async def test_mail_is_not_sent_if_its_code_was_used_or_refused_five_times(world: World) -> None:
    await world.user("arthur", is_verified=True)
    codes = Codes(world)
    guessed = await codes.request(ARTHUR)
    for _ in range(5):
        await codes.send(guessed, "BBBB-BBBB")
    await codes.send(*await codes.requested(ARTHUR))

    assert [each["X-Accounts-Mail"] for each in await delivered(world)] == []
    assert await world.mails() == []


async def test_mail_that_is_tried_again_has_the_same_code(world: World) -> None:
    await world.user("arthur", is_verified=True)
    codes = Codes(world)
    token = await codes.request(ARTHUR)
    async with world.sessionmaker() as db:
        [mail] = await queue.lease_next(db, queue.FIRST_DELAY, 8)
        await queue.retry_later(db, mail, "451 Later")
    await world.sql("UPDATE outbox SET next_at = now()")
    code = await codes.last()

    [message] = await delivered(world)

    assert CODE.findall(body(message, "plain")) == [code]
    assert (await codes.send(token, code)).status_code == 200
