"""Downloads: valid at every size, and never half of one that looks whole; on real connections where it matters."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from httpx2 import AsyncClient, RemoteProtocolError
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from accounts.api.downloads import CHUNK_BYTES, Download, json_array, json_object
from accounts.api.http_protocol import Protocol

PIECE = b"x" * (CHUNK_BYTES // 2)


class Head(BaseModel):
    title: str


async def each_of[Item](*items: Item | Exception) -> AsyncIterator[Item]:
    for item in items:
        if isinstance(item, Exception):
            raise item
        yield item


async def written(pieces: AsyncIterator[bytes]) -> Any:
    return json.loads(b"".join([piece async for piece in pieces]))


@pytest.mark.parametrize("batches", [[], [[]], [[1]], [[], [1, 2], [], [3], []], [[{"a": [1]}], [None, "]"]]])
async def test_an_array_is_that_of_all_batches(batches: list[Sequence[Any]]) -> None:
    assert await written(json_array(each_of(*batches))) == [row for batch in batches for row in batch]


async def test_an_object_has_the_members_of_its_head_and_those_in_pieces() -> None:
    members = {"a": json_array(each_of([1])), 'b"': json_array(each_of())}

    assert await written(json_object(Head(title="é"), members)) == {"title": "é", "a": [1], 'b"': []}


async def get(*pieces: bytes | Exception) -> bytes:
    """Download what consists of these pieces from a real server."""

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        await Download(each_of(*pieces), "text/plain", "x.txt")(scope, receive, send)

    config = Config(asgi, log_config=None, lifespan="off")
    serve = lambda: Protocol(config, ServerState(), {})  # noqa: E731  # what create_server calls
    listening = await asyncio.get_running_loop().create_server(serve, "127.0.0.1", 0)
    async with listening, AsyncClient() as client:
        host, port = listening.sockets[0].getsockname()
        response = await client.get(f"http://{host}:{port}")
    response.raise_for_status()
    return response.content


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100])
async def test_is_sent_whole(count: int) -> None:
    assert await get(*[PIECE] * count) == PIECE * count


async def test_a_failure_that_comes_first_is_an_error() -> None:
    with pytest.raises(Exception, match="500"):
        await get(PIECE, ValueError())


async def test_a_failure_behind_the_beginning_does_not_look_like_the_end() -> None:
    with pytest.raises(RemoteProtocolError, match="incomplete"):
        await get(PIECE, PIECE, PIECE, ValueError())
