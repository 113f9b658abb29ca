"""Real mail servers (aiosmtpd) on loopback, with a mailbox to look into."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from support.waiting import eventually

USERNAME, PASSWORD = "worker", "swordfish"


@dataclass
class Mailbox:
    """A server's replies and received mails. A reply of None is the usual one.

    ``replies`` are used up first, one by one; ``seconds`` is how long the server takes for each message. ``sending``
    is set once it has received a message; it replies when ``reply`` is set, which it is unless a test clears it.
    """

    recipient: str | None = None
    data: str | None = None
    seconds: float = 0
    replies: list[str] = field(default_factory=list)
    sending: asyncio.Event = field(default_factory=asyncio.Event)
    reply: asyncio.Event = field(default_factory=asyncio.Event)
    envelopes: list[Envelope] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reply.set()

    @property
    def messages(self) -> list[EmailMessage]:
        """The messages that the server has accepted."""
        contents = [each.content for each in self.envelopes]
        return [message_from_bytes(each, policy=policy.default) for each in contents if isinstance(each, bytes)]

    async def received(self, number: int) -> None:
        """Wait for so many messages."""
        await eventually(f"{number} messages have arrived", lambda: len(self.envelopes) >= number)

    def ids(self) -> Counter[str]:
        """Count how often each mail was received, by the first part of its Message-ID: the mail's id."""
        return Counter(message["Message-ID"].strip("<>").partition("@")[0] for message in self.messages)

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.recipient:
            return self.recipient
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # as above
        if self.replies:
            return self.replies.pop(0)
        self.sending.set()
        await asyncio.sleep(self.seconds)
        await self.reply.wait()
        if self.data:
            return self.data
        self.envelopes.append(envelope)
        return "250 OK"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        known = (data.login, data.password) == (USERNAME.encode(), PASSWORD.encode())
        return AuthResult(success=known, handled=known)


@asynccontextmanager
async def serving(
    mailbox: Mailbox, port: int = 0, *, tls: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[int]:
    """Serve a mailbox and yield the port. ``tls`` encrypts from the start; the ``options`` are aiosmtpd's."""
    defaults: dict[str, Any] = {"hostname": "mail.test", "authenticator": mailbox.authenticate, "enable_SMTPUTF8": True}
    options = defaults | options
    async with listening(lambda: SMTP(mailbox, **options), port, tls) as listening_port:
        yield listening_port


@asynccontextmanager
async def listening(
    protocol: Callable[[], asyncio.BaseProtocol], port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve any protocol until the block ends, and yield the port."""
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        server.close_clients()


@asynccontextmanager
async def scripted(*replies: str | None) -> AsyncIterator[int]:
    """Answer each line with the next reply, whatever the line says; None drops the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            if reply is None:
                break
            writer.write(f"{reply}\r\n".encode())
            await reader.readline()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        server.close_clients()
