"""How large a request may be."""

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accounts.api.errors import problem


class BodyLimit:
    """Refuse bodies of more than ``max_bytes``, by what they announce or, without that, by what arrives.

    FastAPI's own limit answers in plain text.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI has it."""
        announced = Headers(scope=scope).get("content-length", "") if scope["type"] == "http" else ""
        if announced.isdecimal() and int(announced[:18]) > self.max_bytes:
            await problem(HTTPStatus.CONTENT_TOO_LARGE)(scope, receive, send)
            return
        left = self.max_bytes

        async def receive_within_limit() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(HTTPStatus.CONTENT_TOO_LARGE)
            return message

        await self.app(scope, receive_within_limit, send)
