"""How large a request may be, and how long it may take to arrive."""

import asyncio
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accounts.api.errors import problem


class BodyLimit:
    """Refuse bodies of more than ``max_bytes``, by what they announce or by what arrives, and after ``seconds``.

    FastAPI's own limit answers in plain text, and none waits for a limited time. ``accounts.api.server`` limits heads.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI has it."""
        announced = Headers(scope=scope).get("content-length", "") if scope["type"] == "http" else ""
        if announced.isdecimal() and int(announced[:18]) > self.max_bytes:
            await problem(HTTPStatus.CONTENT_TOO_LARGE)(scope, receive, send)
            return
        left = self.max_bytes
        deadline: float | None = asyncio.get_running_loop().time() + self.seconds

        async def receive_within_limit() -> Message:
            nonlocal left, deadline
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, headers={"Connection": "close"}) from None
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(HTTPStatus.CONTENT_TOO_LARGE)
            if not message.get("more_body"):
                deadline = None  # what comes after the body is the end of the connection, whenever
            return message

        await self.app(scope, receive_within_limit, send)
