"""Limits on request bodies: how large they may be, and how long they may take to arrive."""

import asyncio
import re
import time
from collections.abc import Mapping
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accounts.api.exception_handlers import render_problem
from accounts.api.problems import Problem

BODY_HEADERS = {b"content-length", b"transfer-encoding"}  # without either there is no body: RFC 9112, 6.3


class BodyLimit:
    """Refuse bodies over ``max_bytes`` with 413, and those that take over ``seconds`` to arrive with 408.

    FastAPI's own limit answers in plain text and has no timeout. ``accounts.api.http_protocol`` limits heads.

    Args:
        app: the next ASGI application.
        max_bytes: checked against Content-Length, and against what arrives.
        seconds: the total time spent waiting for the body.
        larger: other maxima in bytes, by patterns of whole paths.

    """

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float, larger: Mapping[re.Pattern[str], int]) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.seconds = seconds
        self.larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI connection."""
        if scope["type"] != "http" or BODY_HEADERS.isdisjoint(name for name, _ in scope["headers"]):
            await self.app(scope, receive, send)
            return
        max_bytes = self._max_bytes(scope)
        content_length = Headers(scope=scope).get("content-length", "")
        if content_length.isdecimal() and int(content_length[:18]) > max_bytes:
            problem = Problem.from_status(HTTPStatus.CONTENT_TOO_LARGE)
            await (await render_problem(Request(scope), problem))(scope, receive, send)
            return
        await self.app(scope, self._limit(receive, max_bytes), send)

    def _limit(self, receive: Receive, max_bytes: int) -> Receive:
        bytes_left, seconds_left, complete = max_bytes, self.seconds, False

        async def receive_within_limits() -> Message:
            nonlocal bytes_left, seconds_left, complete
            start = time.monotonic()
            try:
                # After the body comes the disconnect, which may take any time.
                async with asyncio.timeout(None if complete else seconds_left):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, headers={"Connection": "close"}) from None
            bytes_left -= len(message.get("body", b""))
            if bytes_left < 0:
                raise HTTPException(HTTPStatus.CONTENT_TOO_LARGE)
            seconds_left -= time.monotonic() - start  # the application's own time does not count
            complete = not message.get("more_body")
            return message

        return receive_within_limits

    def _max_bytes(self, scope: Scope) -> int:
        sizes = (size for pattern, size in self.larger.items() if pattern.fullmatch(scope["path"]))
        return next(sizes, self.max_bytes)
