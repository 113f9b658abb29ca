"""Security headers: browsers must not guess types, embed, load from elsewhere, or store personal data."""

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
HTML = COMMON | {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",  # stored, and revalidated by ETag
}
TLS = {"Strict-Transport-Security": "max-age=31536000"}  # a year, RFC 6797


def _raw(headers: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.lower().encode(), value.encode()) for name, value in headers.items())


class SecurityHeaders:
    """Add security headers to every response, errors included, unless the response has them already.

    HSTS is sent with an https PUBLIC_URL, and where a trusted proxy says that the client used TLS. A package would
    replace the table of constants only. Raw headers that dependencies leave in ``more_headers`` of the request's state
    are added as well.

    Args:
        app: the next ASGI application.
        html_path: the prefix of the paths that serve HTML with scripts.

    """

    def __init__(self, app: ASGIApp, html_path: str) -> None:
        self.app = app
        self.html_path = html_path
        self.headers = {
            (html, tls): _raw((HTML if html else DATA) | (TLS if tls else {}))
            for html in (True, False)
            for tls in (True, False)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        html = scope["path"].startswith(self.html_path)
        tls = "https" in {scope["scheme"], scope["state"]["settings"].public_url.partition(":")[0]}
        defaults = self.headers[html, tls]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                missing = [header for header in defaults if header[0] not in present]
                more = scope["state"].get("more_headers", ())
                message = {**message, "headers": [*message["headers"], *missing, *more]}
            await send(message)

        await self.app(scope, receive, send_with_headers)
