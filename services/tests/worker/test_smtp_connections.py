"""Connections to real mail servers that are used again: for how long, and what happens when a server has closed one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from accounts.worker import smtp_connections
from accounts.worker.delivery_errors import PermanentFailure, TemporaryFailure
from accounts.worker.smtp import Smtp
from support.smtp import Mailbox, listening
from support.waiting import eventually


def letter() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "accounts@sender.example", "arthur@example.com"
    message["Message-ID"] = "<1@accounts.example.com>"
    message.set_content("Hello")
    return message


class Connections:
    """The connections of a server, which ends the next conversation at the command ``ends_at``, with or without 421."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self.made = self.quits = 0
        self.open: set[Server] = set()
        self.ends_at, self.says_so = "", False


class Server(SMTP):
    """One conversation, which may end as those of real servers do."""

    def __init__(self, shared: Connections) -> None:
        super().__init__(shared.mailbox, hostname="mail.test")
        self.shared = shared

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.shared.made += 1
        self.shared.open.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.shared.open.discard(self)

    async def smtp_MAIL(self, arg: str) -> None:  # noqa: N802  # aiosmtpd's name
        await self._command("MAIL") or await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str) -> None:  # noqa: N802
        await self._command("RCPT") or await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        await self._command("DATA") or await super().smtp_DATA(arg)

    async def smtp_QUIT(self, arg: str) -> None:  # noqa: N802
        self.shared.quits += 1
        await super().smtp_QUIT(arg)

    async def _command(self, name: str) -> bool:
        if name != self.shared.ends_at:
            return False
        self.shared.ends_at = ""
        if self.shared.says_so:
            await self.push("421 4.3.2 shutting down")
        assert isinstance(self.transport, asyncio.Transport)
        self.transport.close()
        return True


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Smtp, Connections]]:
    shared = Connections(Mailbox())
    async with listening(lambda: Server(shared)) as port:
        yield Smtp("127.0.0.1", port, security="none", seconds=5), shared


async def test_letters_share_a_connection_that_ends_with_quit() -> None:
    async with running() as (server, connections):
        for _ in range(3):
            await server.send(letter())
        assert (connections.made, len(connections.mailbox.envelopes)) == (1, 3)

        await server.close()
        assert connections.quits == 1


async def test_letters_at_the_same_time_have_connections_of_their_own() -> None:
    async with running() as (server, connections):
        for _ in range(3):
            await asyncio.gather(*(server.send(letter()) for _ in range(4)))

        assert (connections.made, len(connections.mailbox.envelopes)) == (4, 12)
        await server.close()


async def test_idle_connection_ends_with_quit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_connections, "IDLE_SECONDS", 0.1)
    async with running() as (server, connections):
        await server.send(letter())
        await eventually("the connection has ended", lambda: not connections.open)

        await server.send(letter())
        assert (connections.made, connections.quits) == (2, 1)
        await server.close()


async def test_connection_ends_after_its_last_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_connections, "MAX_LETTERS", 2)
    async with running() as (server, connections):
        for _ in range(5):
            await server.send(letter())

        assert (connections.made, len(connections.mailbox.envelopes)) == (3, 5)
        await server.close()


async def close_unnoticed(connections: Connections) -> None:
    connections.ends_at = "MAIL"


async def close_noticed(connections: Connections) -> None:
    for each in list(connections.open):
        assert isinstance(each.transport, asyncio.Transport)
        each.transport.close()
    await asyncio.sleep(0.05)


@pytest.mark.parametrize("close", [close_unnoticed, close_noticed])
async def test_connection_that_the_server_closed_costs_no_attempt(close: Callable[[Connections], Any]) -> None:
    async with running() as (server, connections):
        await server.send(letter())
        await close(connections)

        await server.send(letter())

        assert (connections.made, len(connections.mailbox.envelopes)) == (2, 2)
        await server.close()


@pytest.mark.parametrize("command", ["MAIL", "RCPT"])
async def test_421_on_a_used_connection_costs_no_attempt(command: str) -> None:
    async with running() as (server, connections):
        await server.send(letter())
        connections.ends_at, connections.says_so = command, True

        await server.send(letter())

        assert (connections.made, len(connections.mailbox.envelopes)) == (2, 2)
        await server.close()


@pytest.mark.parametrize("command", ["MAIL", "RCPT"])
async def test_failure_of_a_new_connection_is_not_repeated(command: str) -> None:
    async with running() as (server, connections):
        connections.ends_at, connections.says_so = command, True

        with pytest.raises(TemporaryFailure):
            await server.send(letter())

        assert (connections.made, connections.mailbox.envelopes) == (1, [])


async def test_letter_that_the_server_may_have_accepted_is_not_repeated_at_once() -> None:
    async with running() as (server, connections):
        await server.send(letter())
        connections.ends_at = "DATA"

        with pytest.raises(TemporaryFailure, match="dropped"):
            await server.send(letter())

        assert (connections.made, len(connections.mailbox.envelopes)) == (1, 1)


@pytest.mark.parametrize("refusal", ["recipient", "data"])
async def test_refusal_of_a_letter_keeps_the_connection(refusal: str) -> None:
    async with running() as (server, connections):
        setattr(connections.mailbox, refusal, "550 5.1.1 No")
        with pytest.raises(PermanentFailure):
            await server.send(letter())
        setattr(connections.mailbox, refusal, None)

        await server.send(letter())

        assert (connections.made, len(connections.mailbox.envelopes)) == (1, 1)
        await server.close()


async def test_connection_that_timed_out_is_not_used_again() -> None:
    async with running() as (server, connections):
        connections.mailbox.reply.clear()
        late = Smtp(server.host, server.port, security="none", seconds=0.2)
        with pytest.raises(TemporaryFailure):
            await late.send(letter())
        connections.mailbox.reply.set()

        await late.send(letter())

        assert connections.made == 2
        await late.close()
