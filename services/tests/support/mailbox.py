"""A real mail server (aiosmtpd) of the tests' own, with a mailbox to look into."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP

from support.waiting import eventually


class Mailbox:
    """Takes mail, each in so many ``seconds``, or gives ``replies`` first."""

    def __init__(self, seconds: float = 0) -> None:
        self.seconds = seconds
        self.messages: list[EmailMessage] = []
        self.replies: list[str] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        if self.replies:
            return self.replies.pop(0)
        await asyncio.sleep(self.seconds)
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    async def received(self, number: int) -> None:
        """Wait for so many messages."""
        await eventually(f"{number} messages have arrived", lambda: len(self.messages) >= number)

    def ids(self) -> Counter[str]:
        """How often each mail has come, by what its Message-ID begins with."""
        return Counter(message["Message-ID"].strip("<>").partition("@")[0] for message in self.messages)


@asynccontextmanager
async def server(mailbox: Mailbox, port: int = 0) -> AsyncIterator[int]:
    """Listen on loopback; the value is the port."""
    listening = await asyncio.get_running_loop().create_server(
        lambda: SMTP(mailbox, enable_SMTPUTF8=True), "127.0.0.1", port
    )
    yield listening.sockets[0].getsockname()[1]
    listening.close()
