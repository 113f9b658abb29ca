"""How long a request may take to arrive, and how large it may be: on real connections."""

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
PATIENCE = 5


@pytest.fixture
async def connect(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connect]:
    """A server with little patience, and connections to it."""
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


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Everything until the server closes, which it has to do soon."""
    async with asyncio.timeout(PATIENCE):
        return await reader.read()


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"GET /heal", LIVE, LIVE + b"X: "])
async def test_a_head_that_does_not_come_ends_the_connection(connect: Connect, sent: bytes) -> None:
    reader, writer = await connect()
    writer.write(sent)

    assert await rest(reader) == b""


@pytest.mark.parametrize("sent", [b"\r\n", b"GET /heal"])
async def test_nor_may_the_next_one_take_longer(connect: Connect, sent: bytes) -> None:
    reader, writer = await connect()
    writer.write(LIVE + b"\r\n")
    first = await reader.readuntil(b'{"status":"ok"}')
    writer.write(sent)

    assert first.startswith(b"HTTP/1.1 200 OK")
    assert await rest(reader) == b""


async def test_a_connection_may_rest_between_requests(connect: Connect) -> None:
    reader, writer = await connect()

    for _ in range(2):
        writer.write(LIVE + b"\r\n")
        assert (await reader.readuntil(b'{"status":"ok"}')).startswith(b"HTTP/1.1 200 OK")
        await asyncio.sleep(0.5)


async def test_a_head_that_is_too_large_is_refused(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(LIVE + b"X: " + b"x" * http_protocol.HEAD_BYTES + b"\r\n\r\n")

    assert (await rest(reader)).startswith(b"HTTP/1.1 400 ")


async def test_a_head_that_does_not_end_is_not_kept(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(LIVE + b"X: " + b"x" * 40 * http_protocol.HEAD_BYTES)

    with pytest.raises(ConnectionError):  # since nobody reads what was sent
        await rest(reader)


@pytest.mark.parametrize("sent", [b"Content-Length: 30\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"])
async def test_a_body_that_does_not_come_is_answered_and_ends_the_connection(connect: Connect, sent: bytes) -> None:
    reader, writer = await connect()
    writer.write(FORM + sent)

    answer = await rest(reader)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer
    assert b"x-content-type-options: nosniff" in answer


async def test_the_time_that_it_takes_to_read_is_not_counted() -> None:
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


async def test_a_body_that_is_too_large_is_answered_and_passed_over(connect: Connect) -> None:
    """Whoever still sends it can read the answer, and go on."""
    reader, writer = await connect()
    writer.write(FORM + b"Content-Length: 1000000\r\n\r\n")
    answer = await reader.readuntil(b"CONTENT_TOO_LARGE")
    for _ in range(10):
        writer.write(b" " * 100_000)
        await writer.drain()
    writer.write(LIVE + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"HTTP/1.1 200 OK" in await reader.readuntil(b'{"status":"ok"}')
