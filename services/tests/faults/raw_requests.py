"""Requests as bytes: what an HTTP library would refuse to send, or would send faster."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Sequence

PATIENCE = 40.0  # seconds; longer than any limit of the API


def head(method: str, path: str, number: int, headers: str) -> bytes:
    """Write the head of a request by the client with a number, which has a network of its own."""
    forwarded = f"X-Forwarded-For: 198.51.{number // 250}.{number % 250}"
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{forwarded}\r\n{headers}\r\n".encode()


def request(method: str, path: str, number: int, kind: str, body: str, headers: str = "") -> bytes:
    """Write a request with a body of a media type."""
    described = f"{headers}Content-Type: {kind}\r\nContent-Length: {len(body.encode())}\r\n"
    return head(method, path, number, described) + body.encode()


async def send(port: int, *parts: bytes, pause: float = 0) -> str:
    """Send the parts of a request, with pauses between; return the status, or the name of the error."""
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                return await _exchange(reader, writer, parts, pause)
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        return type(error).__name__


async def _exchange(reader: StreamReader, writer: StreamWriter, parts: Sequence[bytes], pause: float) -> str:
    answer = asyncio.ensure_future(reader.readline())
    try:
        for part in parts:
            writer.write(part)
            await asyncio.wait({answer}, timeout=pause)
            if answer.done():
                break
        status = (await answer).decode()[9:12]
        await reader.read()
        return status or "closed"
    finally:
        answer.cancel()
