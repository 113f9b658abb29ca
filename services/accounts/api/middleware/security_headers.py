"""What every answer tells browsers: to guess no types, frame nothing, load nothing, and store no personal data."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# OWASP's REST Security and HTTP Headers Cheat Sheets.
COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
DATA = COMMON | {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
PAGES = COMMON | {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",  # stored, and asked for by its ETag
}
TLS = {"Strict-Transport-Security": "max-age=31536000"}  # a year, RFC 6797


def _raw(headers: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.lower().encode(), value.encode()) for name, value in headers.items())


class SecurityHeaders:
    """Add to each answer, errors included, those headers that it does not have itself; ``pages`` is where HTML is.

    HSTS is sent where TLS is: at an https PUBLIC_URL, and where a trusted proxy says so.
    """

    def __init__(self, app: ASGIApp, pages: str) -> None:
        self.app = app
        self.pages = pages
        self.headers = {
            (page, tls): _raw((PAGES if page else DATA) | (TLS if tls else {}))
            for page in (True, False)
            for tls in (True, False)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI has it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        page = scope["path"].startswith(self.pages)
        tls = "https" in {scope["scheme"], scope["state"]["settings"].public_url.partition(":")[0]}
        defaults = self.headers[page, tls]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                missing = [header for header in defaults if header[0] not in present]
                message = {**message, "headers": [*message["headers"], *missing]}
            await send(message)

        await self.app(scope, receive, send_with_headers)
