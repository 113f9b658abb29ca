"""HEAD for every GET route (RFC 9110, 9.3.2)."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """Serve HEAD as GET, with the same headers and limits, and send no content.

    Starlette's own routes have HEAD; FastAPI's do not, nor do the fast routes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI connection."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def send_without_content(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        get = {**scope, "method": "GET"}  # a copy: the server must know that it answers HEAD
        try:
            await self.app(get, receive, send_without_content)
        finally:
            scope.update(get, method="HEAD")  # the access log names the route
