"""A time limit for each request, in addition to the database's own timeouts."""

import asyncio
import re
from collections.abc import Iterable

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accounts.api.exception_handlers import handle_database_error, render_problem

SECONDS = 8.0


class RequestTimeout:
    """Cancel a request that is not answered within eight seconds: roll back, and answer 503.

    Waiting for the body does not count, nor does sending a response that has begun. Starlette has no such middleware,
    and gunicorn's timeout ends whole workers.

    Args:
        app: the next ASGI application.
        unlimited: patterns of whole paths without this limit; their statements still have one each.

    """

    def __init__(self, app: ASGIApp, unlimited: Iterable[re.Pattern[str]]) -> None:
        self.app = app
        self.unlimited = tuple(unlimited)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI connection."""
        if scope["type"] != "http" or any(pattern.fullmatch(scope["path"]) for pattern in self.unlimited):
            await self.app(scope, receive, send)
            return
        complete = False

        async def receive_untimed() -> Message:
            nonlocal complete
            if complete:  # after the body comes the disconnect, which may take any time
                return await receive()
            seconds_left = (deadline.when() or 0) - loop.time()
            deadline.reschedule(None)
            message = await receive()
            deadline.reschedule(loop.time() + seconds_left)
            complete = not message.get("more_body")
            return message

        async def send_untimed(message: Message) -> None:
            deadline.reschedule(None)
            await send(message)

        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(SECONDS) as deadline:
                await self.app(scope, receive_untimed, send_untimed)
        except TimeoutError as error:
            request = Request(scope)
            response = await render_problem(request, handle_database_error(request, error))
            await response(scope, receive, send)
