"""PostgreSQL's unix socket behind a TCP port that also speaks TLS, since the test server is built without."""

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from typing import Self

from sqlalchemy import make_url

from postgres_host import PORT

SSL_REQUEST = bytes.fromhex("0000000804d2162f")  # PostgreSQL 18, 54.7
CHUNK = 64 * 1024


class TlsFront:
    """Forwards connections to the database of ``url``, and decrypts those that ask for it."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        self._url = make_url(url)
        self._context = context
        self._context.set_alpn_protocols(["postgresql"])
        self.port = 0
        self.encrypted = 0  # the number of connections
        self._tasks: set[asyncio.Task[None]] = set()

    def url(self, role: str, query: str, host: str = "127.0.0.1") -> str:
        return f"postgresql://{role}@{host}:{self.port}/{self._url.database}?{query}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1")
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        with suppress(OSError, EOFError):
            first = await reader.readexactly(8)
            if first == SSL_REQUEST:
                writer.write(b"S")
                await writer.start_tls(self._context)
                self.encrypted += 1
                first = b""
            answers, server = await asyncio.open_unix_connection(f"{self._url.query['host']}/.s.PGSQL.{PORT}")
            server.write(first)
            await asyncio.wait(
                [asyncio.create_task(_copy(reader, server)), asyncio.create_task(_copy(answers, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
            server.transport.abort()
        writer.transport.abort()


async def _copy(source: StreamReader, target: StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(CHUNK):
            target.write(data)
    target.transport.abort()
