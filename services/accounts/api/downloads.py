"""Downloads of any size: read a page at a time, written piece by piece, and never half of one that looks whole."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, override

from pydantic import BaseModel
from pydantic_core import to_json
from starlette.responses import StreamingResponse
from starlette.types import Send

from accounts.api.openapi import Responses
from accounts.db.session import Session, Sessionmaker, transaction
from accounts.schemas.pagination import Page, PageQuery

BATCH_ROWS = 500
CHUNK_BYTES = 64 * 1024
CONTENT_DISPOSITION: Responses = {
    200: {
        "headers": {
            "Content-Disposition": {
                "description": "That it is to be saved, and under which name.",
                "schema": {"type": "string"},
                "example": 'attachment; filename="name.json"',
            }
        }
    }
}


async def every_page[Query: PageQuery, Row](
    sessionmaker: Sessionmaker, read: Callable[[Session, Query], Awaitable[Page[Row]]], query: Query
) -> AsyncIterator[Sequence[Row]]:
    """Read a list to its end, each page in a short transaction of its own.

    Whoever takes their time between two pages holds neither a connection nor a transaction.
    """
    following: Query | None = query.model_copy(update={"limit": BATCH_ROWS})
    while following is not None:
        async with transaction(sessionmaker) as db:
            page = await read(db, following)
        yield page.rows
        following = following.model_copy(update={"cursor": page.next}) if page.next else None


async def json_array(batches: AsyncIterator[Sequence[Any]]) -> AsyncIterator[bytes]:
    """Write one JSON array of the rows of all batches."""
    before = b"["
    async for rows in batches:
        if rows:
            yield before + to_json(list(rows))[1:-1]
            before = b","
    yield b"[]" if before == b"[" else b"]"


async def json_object(head: BaseModel, members: Mapping[str, AsyncIterator[bytes]]) -> AsyncIterator[bytes]:
    """Write one JSON object of the members of ``head`` and, behind them, those whose values come in pieces."""
    yield to_json(head)[:-1]
    for name, pieces in members.items():
        yield b"," + to_json(name) + b":"
        async for piece in pieces:
            yield piece
    yield b"}"


class Download(StreamingResponse):
    """An answer to be saved as ``filename``.

    It begins with the first full chunk: a failure until then is answered like any other, and most documents are sent
    in one piece. A failure behind it ends the connection without the end of the body (RFC 9112, 8).
    """

    def __init__(self, pieces: AsyncIterator[bytes], media_type: str, filename: str) -> None:
        headers = {"Content-Disposition": f'attachment; filename="{filename}"', "Cache-Control": "no-store"}
        super().__init__(_chunks(pieces), headers=headers, media_type=media_type)

    @override
    async def stream_response(self, send: Send) -> None:
        chunks = aiter(self.body_iterator)
        first = await anext(chunks)
        self.body_iterator = _chain(first, chunks)
        await super().stream_response(send)


async def _chunks(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    held = bytearray()
    async for piece in pieces:
        held += piece
        if len(held) >= CHUNK_BYTES:
            yield bytes(held)
            held.clear()
    yield bytes(held)


async def _chain[Chunk](first: Chunk, rest: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    yield first
    async for chunk in rest:
        yield chunk
