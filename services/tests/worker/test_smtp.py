"""Submission to real mail servers: working, slow, broken and untrusted."""

import asyncio
import ssl
import time
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Literal
from uuid import UUID

import pytest
from aiosmtpd.smtp import SMTP

from accounts.models.mail import MailKind
from accounts.worker import smtp_connections
from accounts.worker.delivery_errors import DeliveryError, PermanentFailure, ServerUnavailable, TemporaryFailure
from accounts.worker.message import compose_message
from accounts.worker.smtp import Smtp
from mail_preview import LINK, SAMPLES
from support.certificates import authority
from support.smtp import PASSWORD, USERNAME, Mailbox, listening, scripted, serving

GREETING = ("220 mail.test", "250 mail.test")
SIGNED_IN: dict[str, Any] = {"username": USERNAME, "password": PASSWORD}


def letter(to: str = "arthur@example.com") -> EmailMessage:
    return compose_message(
        MailKind.RESET,
        to,
        {"name": "Arthur", **SAMPLES[MailKind.RESET]},
        language="de",
        sender="accounts <accounts@sender.example>",
        message_id=UUID(int=7),
        domain="accounts.example.com",
        service="Camelot",
    )


def clear(port: int, **options: Any) -> Smtp:
    return Smtp("127.0.0.1", port, security="none", **options)


async def why(server: Smtp, message: EmailMessage) -> DeliveryError:
    with pytest.raises(DeliveryError) as error:
        await server.send(message)
    return error.value


async def test_mail_arrives_unchanged() -> None:
    mailbox, message = Mailbox(), letter()
    async with serving(mailbox) as port:
        await clear(port).send(message)

    [envelope] = mailbox.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("accounts@sender.example", ["arthur@example.com"])
    assert isinstance(envelope.content, bytes)
    taken = message_from_bytes(envelope.content, policy=policy.default)
    assert isinstance(taken, EmailMessage)
    assert taken["Message-ID"] == message["Message-ID"]
    text = taken.get_body(("plain",))
    assert text is not None
    assert LINK in text.get_content().splitlines()


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_login_uses_tls(security: Literal["starttls", "tls"]) -> None:
    mailbox, trust = Mailbox(), authority()
    options: dict[str, Any] = {"tls": trust.server} if security == "tls" else {"tls_context": trust.server}
    async with serving(mailbox, auth_require_tls=security == "starttls", **options) as port:
        await Smtp("127.0.0.1", port, security=security, context=trust.client, **SIGNED_IN).send(letter())

    assert len(mailbox.envelopes) == 1
    assert mailbox.logins == [(USERNAME.encode(), PASSWORD.encode())]


async def test_password_may_be_sent_unencrypted_to_this_machine() -> None:
    mailbox = Mailbox()
    async with serving(mailbox, auth_require_tls=False) as port:
        await clear(port, **SIGNED_IN).send(letter())
        await Smtp("localhost", port, security="none", **SIGNED_IN).send(letter())

    assert len(mailbox.envelopes) == 2
    assert mailbox.logins == 2 * [(USERNAME.encode(), PASSWORD.encode())]


@pytest.mark.parametrize("host", ["mail.example.com", "192.0.2.1", "localhost.example.com"])
def test_password_is_never_sent_unencrypted_to_another_machine(host: str) -> None:
    with pytest.raises(ValueError, match="sent unencrypted"):
        Smtp(host, 25, security="none", **SIGNED_IN)

    assert PASSWORD not in repr(Smtp(host, 587, **SIGNED_IN))


async def test_wrong_password_makes_the_server_unavailable() -> None:
    async with serving(Mailbox(), auth_require_tls=False) as port:
        reason = await why(clear(port, username=USERNAME, password="wrong"), letter())

    assert isinstance(reason, ServerUnavailable)
    assert reason.reason == "the server refused this client: 535 5.7.8 Authentication credentials invalid"


async def test_nothing_is_sent_without_starttls() -> None:
    mailbox = Mailbox()
    async with serving(mailbox, auth_require_tls=False) as port:
        reason = await why(Smtp("127.0.0.1", port, context=authority().client, **SIGNED_IN), letter())

    assert isinstance(reason, TemporaryFailure)
    assert "STARTTLS" in reason.reason
    assert (mailbox.envelopes, mailbox.logins) == ([], [])


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("trusted", [True, False])
async def test_server_certificate_is_verified(security: Literal["starttls", "tls"], *, trusted: bool) -> None:
    mailbox, trust = Mailbox(), authority()
    shown, context = (trust.elsewhere, trust.client) if trusted else (trust.server, ssl.create_default_context())
    options: dict[str, Any] = {"tls": shown} if security == "tls" else {"tls_context": shown}
    async with serving(mailbox, **options) as port:
        reason = await why(Smtp("127.0.0.1", port, security=security, context=context, **SIGNED_IN), letter())

    assert isinstance(reason, TemporaryFailure)
    assert "certificate verify failed" in reason.reason
    assert (mailbox.envelopes, mailbox.logins) == ([], [])


@pytest.mark.parametrize(
    ("mailbox", "kind", "reason"),
    [
        (
            Mailbox(recipient="550 5.1.1 <arthur@example.com>: no mailbox arthur at example.com"),
            PermanentFailure,
            "the server refused the recipient: 550 5.1.1 …: no mailbox … at …",
        ),
        (
            Mailbox(recipient="450 4.2.0 arthur@example.com: Greylisted, see https://mail.test/?arthur"),
            TemporaryFailure,
            "the server refused the recipient: 450 4.2.0 … Greylisted, see …",
        ),
        (
            Mailbox(data=f"554 5.7.1 Spam: {LINK}"),
            PermanentFailure,
            "the server refused the mail: 554 5.7.1 Spam: …",
        ),
        (
            Mailbox(data="554-5.7.1 It has\r\n554 5.7.1 \x1b[31m vAM_fFojyBUjZH0TLMLR39p3ex1FOIu4sEYH9JwQx1Q"),
            PermanentFailure,
            "the server refused the mail: 554 5.7.1 It has 5.7.1 [31m …",
        ),
        (Mailbox(data="452 4.3.1 Full"), TemporaryFailure, "the server refused the mail: 452 4.3.1 Full"),
    ],
)
async def test_reason_of_a_refusal_contains_no_personal_data(
    mailbox: Mailbox, kind: type[DeliveryError], reason: str
) -> None:
    async with serving(mailbox) as port:
        error = await why(clear(port), letter())

    assert (type(error), error.reason) == (kind, reason)


async def test_reason_is_short() -> None:
    async with serving(Mailbox(data="550 " + "no " * 160)) as port:
        assert len((await why(clear(port), letter())).reason) <= 300


@pytest.mark.parametrize(
    "replies",
    [
        ("554 not today",),
        ("220 mail.test", "501 what", "501 what"),
        (*GREETING, "550 5.7.1 who are you"),
        (*GREETING, "250 OK", "421 shutting down"),
        (*GREETING, "250 OK", "gibberish"),
    ],
)
async def test_refusal_of_this_client_is_temporary(replies: tuple[str, ...]) -> None:
    async with scripted(*replies, None) as port:
        assert isinstance(await why(clear(port), letter()), TemporaryFailure)


@pytest.mark.parametrize(
    ("replies", "what"),
    [
        ((None,), "no connection to the mail server: "),
        ((*GREETING, None), "the connection was dropped: "),
        ((*GREETING, "250 OK", None), "the connection was dropped: "),
        ((*GREETING, "250 OK", "250 OK", "354 go", None), "the connection was dropped: "),
    ],
)
async def test_dropped_connection_is_temporary(replies: tuple[str | None, ...], what: str) -> None:
    async with scripted(*replies) as port:
        reason = await why(clear(port), letter())

    assert isinstance(reason, TemporaryFailure)
    assert isinstance(reason, ServerUnavailable) is what.startswith("no connection")
    assert reason.reason.startswith(what)


async def test_refused_connection_is_temporary() -> None:
    async with scripted() as port:
        pass

    reason = await why(clear(port), letter())

    assert isinstance(reason, TemporaryFailure)
    assert "Connect call failed" in reason.reason


async def test_timeout_bounds_the_whole_submission() -> None:
    started = time.monotonic()
    async with serving(Mailbox(seconds=60)) as port:
        reason = await why(clear(port, seconds=0.3), letter())

    assert isinstance(reason, TemporaryFailure)
    assert reason.reason == "the server took longer than 0.3 s"
    assert 0.3 <= time.monotonic() - started < 10


async def hang(_server: SMTP) -> None:
    await asyncio.sleep(60)


async def drop(server: SMTP) -> None:
    assert isinstance(server.transport, asyncio.Transport)
    server.transport.abort()


async def refuse(server: SMTP) -> None:
    await server.push("451 not yet")


@pytest.mark.parametrize("quit_", [hang, drop, refuse])
async def test_accepted_mail_is_sent_even_if_quit_fails(
    quit_: Callable[[SMTP], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_connections, "QUIT_SECONDS", 0.2)

    class Impolite(SMTP):
        async def smtp_QUIT(self, _: str) -> None:  # noqa: N802  # as aiosmtpd calls it
            await quit_(self)

    mailbox = Mailbox()
    async with listening(lambda: Impolite(mailbox, hostname="mail.test")) as port:
        server = clear(port, seconds=1)
        await server.send(letter())
        await server.close()

    assert len(mailbox.envelopes) == 1


async def test_non_ascii_local_part_needs_smtputf8() -> None:
    mailbox = Mailbox()
    async with serving(mailbox) as port:
        await clear(port).send(letter("jürgen@bücher.example"))
    async with serving(mailbox, enable_SMTPUTF8=False) as port:
        reason = await why(clear(port), letter("jürgen@bücher.example"))

    assert mailbox.envelopes[0].rcpt_tos == ["jürgen@xn--bcher-kva.example"]
    assert b"\r\nTo: j\xc3\xbcrgen@xn--bcher-kva.example\r\n" in (mailbox.envelopes[0].original_content or b"")
    assert isinstance(reason, PermanentFailure)
    assert reason.reason == "the email address is not ASCII, and the server does not support SMTPUTF8"


async def test_non_ascii_domain_needs_no_smtputf8() -> None:
    mailbox = Mailbox()
    async with serving(mailbox, enable_SMTPUTF8=False) as port:
        await clear(port).send(letter("gawain@bücher.example"))

    assert mailbox.envelopes[0].rcpt_tos == ["gawain@xn--bcher-kva.example"]


async def test_submission_can_be_cancelled() -> None:
    async with serving(Mailbox(seconds=60)) as port:
        sending = asyncio.create_task(clear(port).send(letter()))
        await asyncio.sleep(0.1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
