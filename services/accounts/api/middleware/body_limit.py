"""How large a request may be, and how long it may take to arrive."""

import asyncio
import re
import time
from collections.abc import Mapping
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accounts.api.problems import problem

ANNOUNCED = {b"content-length", b"transfer-encoding"}  # without either a request has no body: RFC 9112, 6.3


class BodyLimit:
    """Refuse bodies of more than ``max_bytes``, by what they announce or by what arrives, and after ``seconds``.

    ``larger`` has other maxima, by patterns of whole paths.

    FastAPI's own limit answers in plain text, and none waits for a limited time. ``accounts.api.server`` limits heads.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float, larger: Mapping[re.Pattern[str], int]) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.seconds = seconds
        self.larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI has it."""
        if scope["type"] != "http" or ANNOUNCED.isdisjoint(name for name, _ in scope["headers"]):
            await self.app(scope, receive, send)
            return
        max_bytes = self._max_bytes(scope)
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced[:18]) > max_bytes:
            await problem(HTTPStatus.CONTENT_TOO_LARGE)(scope, receive, send)
            return
        left, waited, arrived = max_bytes, 0.0, False

        async def receive_within_limit() -> Message:
            nonlocal left, waited, arrived
            begun = time.monotonic()
            # What comes after the body is the end of the connection, whenever.
            seconds = None if arrived else self.seconds - waited
            try:
                async with asyncio.timeout(seconds):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, headers={"Connection": "close"}) from None
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(HTTPStatus.CONTENT_TOO_LARGE)
            waited += time.monotonic() - begun  # and not the time that it takes to read what has arrived
            arrived = not message.get("more_body")
            return message

        await self.app(scope, receive_within_limit, send)

    def _max_bytes(self, scope: Scope) -> int:
        sizes = (size for pattern, size in self.larger.items() if pattern.fullmatch(scope["path"]))
        return next(sizes, self.max_bytes)
