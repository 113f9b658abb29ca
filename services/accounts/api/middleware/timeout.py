"""How long whoever asks may be left waiting: what a slow or silent database does not end, ends here."""

import asyncio
import re
from collections.abc import Iterable

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = 8.0


class RequestTimeout:
    """Undo a request that is not being answered after eight seconds, and answer as in an outage of the database.

    The time that its body takes to arrive does not count. An answer that has begun may take as long as its reader
    likes, and so may what is asked of ``unlimited`` paths: each of their statements has a limit of its own.
    """

    def __init__(self, app: ASGIApp, unlimited: Iterable[re.Pattern[str]]) -> None:
        self.app = app
        self.unlimited = tuple(unlimited)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI has it."""
        if scope["type"] != "http" or any(pattern.fullmatch(scope["path"]) for pattern in self.unlimited):
            await self.app(scope, receive, send)
            return
        arrived = False

        async def receive_unhurried() -> Message:
            nonlocal arrived
            if arrived:  # what comes after the body is the end of the connection, whenever
                return await receive()
            left = (deadline.when() or 0) - loop.time()
            deadline.reschedule(None)
            message = await receive()
            deadline.reschedule(loop.time() + left)
            arrived = not message.get("more_body")
            return message

        async def send_unhurried(message: Message) -> None:
            deadline.reschedule(None)
            await send(message)

        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(SECONDS) as deadline:
                await self.app(scope, receive_unhurried, send_unhurried)
        except TimeoutError as late:
            answer = await scope["app"].exception_handlers[OSError](Request(scope), late)
            await answer(scope, receive, send)
