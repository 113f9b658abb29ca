"""A proxy from loopback TCP to PostgreSQL's unix socket, which simulates faults of the network."""

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from typing import Self

from sqlalchemy import make_url

from postgres_host import PORT

CHUNK = 64 * 1024
COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"  # CommandComplete, as PostgreSQL's protocol 3 has it
HARD = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


class Proxy:
    """Forwards everything until a fault is switched on.

    ``delay`` is the seconds of a round trip. ``lose_commit`` resets the next connection on which PostgreSQL
    confirms a COMMIT, before the confirmation is forwarded.
    """

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self.port = 0
        self.delay = 0.0
        self.lose_commit = False
        self._hole = False
        self._server: asyncio.Server | None = None
        self._open: set[StreamWriter] = set()
        self._dead: set[StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def url(self, role: str) -> str:
        """Return the URL of the database through this proxy."""
        return f"postgresql://{role}@127.0.0.1:{self.port}/{self._url.database}"

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def accept(self) -> None:
        """Listen, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Stop listening, and reset all connections."""
        if self._server is not None:
            self._server.close()
        self.reset()

    def reset(self) -> None:
        """Reset all connections."""
        for writer in [*self._open]:
            _reset(writer)

    def swallow(self) -> None:
        """Become a black hole: drop all data from either side, without an error."""
        self._hole = True
        self._dead |= self._open

    def heal(self) -> None:
        """Forward new connections again; those of the black hole stay dead."""
        self._hole = False

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._open.add(writer)
        with suppress(OSError):
            await self._forward(reader, writer)
        _reset(writer)
        self._open.discard(writer)
        self._dead.discard(writer)

    async def _forward(self, reader: StreamReader, writer: StreamWriter) -> None:
        if self._hole:
            self._dead.add(writer)
            while await reader.read(CHUNK):
                pass
            return
        answers, server = await asyncio.open_unix_connection(f"{self._url.query['host']}/.s.PGSQL.{PORT}")
        try:
            done, rest = await asyncio.wait(
                [
                    asyncio.create_task(self._send(reader, server, writer)),
                    asyncio.create_task(self._receive(answers, writer)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
            if writer in self._dead and not reader.at_eof():
                await asyncio.wait(rest)
            for task in rest:
                task.cancel()
            await asyncio.gather(*done, *rest, return_exceptions=True)
        finally:
            server.transport.abort()

    async def _send(self, reader: StreamReader, server: StreamWriter, client: StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            if client not in self._dead:
                server.write(data)

    async def _receive(self, answers: StreamReader, client: StreamWriter) -> None:
        while data := await answers.read(CHUNK):
            if self.delay:
                await asyncio.sleep(self.delay)
            if self.lose_commit and COMMITTED in data:
                self.lose_commit = False
                return
            if client not in self._dead:
                client.write(data)


def _reset(writer: StreamWriter) -> None:
    raw: socket.socket | None = writer.get_extra_info("socket")
    if raw is not None and raw.family == socket.AF_INET and not writer.is_closing():
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HARD)
    writer.transport.abort()
