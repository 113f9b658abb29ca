"""Connections to the mail server that are used again while mail is waiting: one for each letter that is being sent."""

import asyncio
from contextlib import suppress
from email.message import EmailMessage
from typing import Any

from aiosmtplib import SMTP, SMTPDataError, SMTPException, SMTPNotSupported, SMTPRecipientsRefused, SMTPResponse

IDLE_SECONDS = 5.0  # servers close idle connections later, and some count them
MAX_LETTERS = 100  # of one connection, so that mail reaches other hosts of a server's name
QUIT_SECONDS = 5.0
# What a server says about one letter. The connection is as good as before.
ABOUT_LETTER = (SMTPRecipientsRefused, SMTPDataError, SMTPNotSupported)


class Connection(SMTP):
    """A connection to a mail server, which sends letters one after the other."""

    letters = 0
    data_begun = False  # from DATA on the server may have accepted the letter, whatever happens to its reply

    async def submit(self, message: EmailMessage) -> None:
        """Submit a letter, from its From to its To.

        Raises:
            SMTPException: it was refused, or the connection is lost.

        """
        self.letters += 1
        self.data_begun = False
        [to], [sender] = message["To"].addresses, message["From"].addresses
        await self.send_message(message, sender=sender.addr_spec, recipients=[to.addr_spec])

    async def data(self, *arguments: Any, **options: Any) -> SMTPResponse:
        """Send DATA and the content."""
        self.data_begun = True
        return await super().data(*arguments, **options)

    def may_repeat(self, error: Exception) -> bool:
        """Return whether the letter that failed can be sent by another connection: this one failed, and before DATA."""
        return not self.data_begun and not (isinstance(error, ABOUT_LETTER) and self.is_connected)


class IdleConnections:
    """Connections that no letter uses. Each ends itself after ``IDLE_SECONDS``."""

    def __init__(self) -> None:
        self._endings: dict[Connection, asyncio.Task[None]] = {}
        self._quitting: set[asyncio.Task[None]] = set()

    def take(self) -> Connection | None:
        """Take the connection that was used last, or return None."""
        while self._endings:
            connection, ending = self._endings.popitem()
            ending.cancel()
            if connection.is_connected:
                return connection
        return None

    def put(self, connection: Connection) -> None:
        """Keep a connection for the next letter, unless it has sent enough."""
        if connection.letters >= MAX_LETTERS:
            self._quit(connection)
        else:
            self._endings[connection] = asyncio.create_task(self._quit_later(connection))

    async def close(self) -> None:
        """End all connections, and wait for that."""
        while connection := self.take():
            self._quit(connection)
        await asyncio.gather(*self._quitting)

    async def _quit_later(self, connection: Connection) -> None:
        await asyncio.sleep(IDLE_SECONDS)
        del self._endings[connection]
        self._quit(connection)

    def _quit(self, connection: Connection) -> None:
        task = asyncio.create_task(_quit(connection))
        self._quitting.add(task)  # asyncio itself has no strong reference to a task
        task.add_done_callback(self._quitting.discard)


async def _quit(connection: Connection) -> None:
    with suppress(SMTPException, OSError):
        async with asyncio.timeout(QUIT_SECONDS):
            await connection.quit()
    connection.close()
