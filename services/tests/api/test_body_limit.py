"""Limits on request heads and bodies, on real connections."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from starlette.types import Message, Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from accounts.api import http_protocol
from accounts.api.app import create_app, lifespan
from accounts.api.middleware.body_limit import BodyLimit

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
LIVE = b"GET /health/live HTTP/1.1\r\nHost: testserver\r\n"
FORM = b"POST /auth/forgot-password HTTP/1.1\r\nHost: testserver\r\nContent-Type: application/json\r\n"
TIMEOUT = 5


@pytest.fixture
async def connect(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connect]:
    """A server with short timeouts, and connections to it."""
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.3)
    app = create_app()
    for middleware in app.user_middleware:
        if "seconds" in middleware.kwargs:
            middleware.kwargs["seconds"] = 0.3

    async with lifespan(app) as state:

        async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        config = Config(asgi, log_config=None, lifespan="off", proxy_headers=False)
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(lambda: http_protocol.Protocol(config, ServerState(), {}), "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        writers = []

        async def open_connection() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writers.append(writer)
            return reader, writer

        yield open_connection
        for writer in writers:
            writer.close()
        listening.close()
        await listening.wait_closed()


async def read_to_end(reader: asyncio.StreamReader) -> bytes:
    """Read until the server closes the connection."""
    async with asyncio.timeout(TIMEOUT):
        return await reader.read()


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"GET /heal", LIVE, LIVE + b"X: "])
async def test_connection_is_closed_when_first_head_is_late(connect: Connect, sent: bytes) -> None:
    reader, writer = await connect()
    writer.write(sent)

    assert await read_to_end(reader) == b""


@pytest.mark.parametrize("sent", [b"\r\n", b"GET /heal"])
async def test_connection_is_closed_when_next_head_is_late(connect: Connect, sent: bytes) -> None:
    reader, writer = await connect()
    writer.write(LIVE + b"\r\n")
    first = await reader.readuntil(b'{"status":"ok"}')
    writer.write(sent)

    assert first.startswith(b"HTTP/1.1 200 OK")
    assert await read_to_end(reader) == b""


async def test_connection_may_idle_between_requests(connect: Connect) -> None:
    reader, writer = await connect()

    for _ in range(2):
        writer.write(LIVE + b"\r\n")
        assert (await reader.readuntil(b'{"status":"ok"}')).startswith(b"HTTP/1.1 200 OK")
        await asyncio.sleep(0.5)


async def test_too_large_head_is_refused(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(LIVE + b"X: " + b"x" * http_protocol.HEAD_BYTES + b"\r\n\r\n")

    assert (await read_to_end(reader)).startswith(b"HTTP/1.1 400 ")


async def test_endless_head_closes_the_connection(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(LIVE + b"X: " + b"x" * 40 * http_protocol.HEAD_BYTES)

    with pytest.raises(ConnectionError):  # the rest is not read
        await read_to_end(reader)


@pytest.mark.parametrize("sent", [b"Content-Length: 30\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"])
async def test_late_body_is_answered_with_408_and_closes_the_connection(connect: Connect, sent: bytes) -> None:
    reader, writer = await connect()
    writer.write(FORM + sent)

    response = await read_to_end(reader)

    assert response.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in response
    assert b"x-content-type-options: nosniff" in response


async def test_time_of_the_application_is_not_counted_as_body_time() -> None:
    async def slow_reader(_scope: Scope, receive: Receive, _send: Send) -> None:
        for _ in range(3):
            await receive()
            await asyncio.sleep(0.2)

    parts = iter([True, True, False])

    async def receive() -> Message:
        return {"type": "http.request", "body": b"x", "more_body": next(parts)}

    async def send(_: Message) -> None:
        pytest.fail("refused")

    await BodyLimit(slow_reader, 10, 0.1, {})({"type": "http", "path": "/", "headers": []}, receive, send)

    assert list(parts) == []


async def test_too_large_body_is_answered_with_413_and_discarded(connect: Connect) -> None:
    """A client that still sends can read the response and use the connection again."""
    reader, writer = await connect()
    writer.write(FORM + b"Content-Length: 1000000\r\n\r\n")
    response = await reader.readuntil(b"CONTENT_TOO_LARGE")
    for _ in range(10):
        writer.write(b" " * 100_000)
        await writer.drain()
    writer.write(LIVE + b"\r\n")

    assert response.startswith(b"HTTP/1.1 413 ")
    assert b"HTTP/1.1 200 OK" in await reader.readuntil(b'{"status":"ok"}')
