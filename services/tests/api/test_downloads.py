"""Downloads are valid at every size, and a failed one never looks complete."""

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

HALF_CHUNK = b"x" * (CHUNK_BYTES // 2)


class Head(BaseModel):
    title: str


async def stream[Item](*items: Item | Exception) -> AsyncIterator[Item]:
    for item in items:
        if isinstance(item, Exception):
            raise item
        yield item


async def parse(chunks: AsyncIterator[bytes]) -> Any:
    return json.loads(b"".join([chunk async for chunk in chunks]))


@pytest.mark.parametrize("batches", [[], [[]], [[1]], [[], [1, 2], [], [3], []], [[{"a": [1]}], [None, "]"]]])
async def test_array_has_the_rows_of_all_batches(batches: list[Sequence[Any]]) -> None:
    assert await parse(json_array(stream(*batches))) == [row for batch in batches for row in batch]


async def test_object_has_the_members_of_its_head_and_the_streamed_ones() -> None:
    members = {"a": json_array(stream([1])), 'b"': json_array(stream())}

    assert await parse(json_object(Head(title="é"), members)) == {"title": "é", "a": [1], 'b"': []}


async def download(*chunks: bytes | Exception) -> bytes:
    """Download these chunks from a real server."""

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        await Download(stream(*chunks), "text/plain", "x.txt")(scope, receive, send)

    config = Config(asgi, log_config=None, lifespan="off")
    serve = lambda: Protocol(config, ServerState(), {})  # noqa: E731  # what create_server calls
    listening = await asyncio.get_running_loop().create_server(serve, "127.0.0.1", 0)
    async with listening, AsyncClient() as client:
        host, port = listening.sockets[0].getsockname()
        response = await client.get(f"http://{host}:{port}")
    response.raise_for_status()
    return response.content


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100])
async def test_download_is_complete(count: int) -> None:
    assert await download(*[HALF_CHUNK] * count) == HALF_CHUNK * count


async def test_failure_in_the_first_chunk_is_answered_with_500() -> None:
    with pytest.raises(Exception, match="500"):
        await download(HALF_CHUNK, ValueError())


async def test_later_failure_does_not_look_like_the_end() -> None:
    with pytest.raises(RemoteProtocolError, match="incomplete"):
        await download(HALF_CHUNK, HALF_CHUNK, HALF_CHUNK, ValueError())
