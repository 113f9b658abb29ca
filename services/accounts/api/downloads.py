"""Downloads of any size: rows are read in pages and streamed, and a failed download never looks complete."""

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
                "description": "Tells browsers to save the response under this file name.",
                "schema": {"type": "string"},
                "example": 'attachment; filename="name.json"',
            }
        }
    }
}


async def every_page[Query: PageQuery, Row](
    sessionmaker: Sessionmaker, read: Callable[[Session, Query], Awaitable[Page[Row]]], query: Query
) -> AsyncIterator[Sequence[Row]]:
    """Read a list to its end, each page in a transaction of its own.

    Slow clients hold neither a connection nor a transaction between two pages.
    """
    next_query: Query | None = query.model_copy(update={"limit": BATCH_ROWS})
    while next_query is not None:
        async with transaction(sessionmaker) as db:
            page = await read(db, next_query)
        yield page.rows
        next_query = next_query.model_copy(update={"cursor": page.next}) if page.next else None


async def json_array(batches: AsyncIterator[Sequence[Any]]) -> AsyncIterator[bytes]:
    """Stream the rows of all batches as one JSON array."""
    separator = b"["
    async for rows in batches:
        if rows:
            yield separator + to_json(list(rows))[1:-1]
            separator = b","
    yield b"[]" if separator == b"[" else b"]"


async def json_object(head: BaseModel, members: Mapping[str, AsyncIterator[bytes]]) -> AsyncIterator[bytes]:
    """Stream one JSON object: the members of ``head``, then ``members``, whose values come in chunks."""
    yield to_json(head)[:-1]
    for name, chunks in members.items():
        yield b"," + to_json(name) + b":"
        async for chunk in chunks:
            yield chunk
    yield b"}"


class Download(StreamingResponse):
    """A response that is saved as ``filename``.

    It starts with the first full chunk. An earlier failure is answered like any other; a later one closes the
    connection before the end of the body, so that clients notice (RFC 9112, 8).
    """

    def __init__(self, chunks: AsyncIterator[bytes], media_type: str, filename: str) -> None:
        headers = {"Content-Disposition": f'attachment; filename="{filename}"', "Cache-Control": "no-store"}
        super().__init__(_full_chunks(chunks), headers=headers, media_type=media_type)

    @override
    async def stream_response(self, send: Send) -> None:
        chunks = aiter(self.body_iterator)
        first = await anext(chunks)
        self.body_iterator = _chain(first, chunks)
        await super().stream_response(send)


async def _full_chunks(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Join chunks into larger ones. At least one is yielded, even if it is empty."""
    buffer = bytearray()
    async for chunk in chunks:
        buffer += chunk
        if len(buffer) >= CHUNK_BYTES:
            yield bytes(buffer)
            buffer.clear()
    yield bytes(buffer)


async def _chain[Chunk](first: Chunk, rest: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    yield first
    async for chunk in rest:
        yield chunk
