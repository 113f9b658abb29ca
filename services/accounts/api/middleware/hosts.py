"""Which names the API answers to, and which other sites' pages may read its answers."""

import re
from functools import cache
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from accounts.api.problems import METHODS, problem

HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^:]*)(:\d+)?")  # RFC 9110, 7.2
PROBES = "/health/"


class TrustedHosts:
    """Refuse names that are not the API's own: a page of a site that was rebound to this address names that site.

    Probes may: load balancers and orchestrators ask by address, and health repeats nothing.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI has it."""
        if scope["type"] == "http" and not scope["path"].startswith(PROBES):
            host = HOST.fullmatch(Headers(scope=scope).get("host", "").lower())
            allowed = scope["state"]["settings"].hosts
            if "*" not in allowed and (host is None or host["name"] not in allowed):
                reason = "The name in Host is neither PUBLIC_URL's nor one of ALLOWED_HOSTS."
                await problem(HTTPStatus.BAD_REQUEST, "HOST_NOT_ALLOWED", reason=reason)(scope, receive, send)
                return
        await self.app(scope, receive, send)


class Cors:
    """Let pages of CORS_ORIGINS use the API with bearer tokens, and never with cookies."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._allowing = cache(self._make)

    def _make(self, origins: tuple[str, ...]) -> CORSMiddleware:
        return CORSMiddleware(
            self.app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=("Authorization", "Content-Type"),
            expose_headers=(
                "Link",
                "Location",
                "RateLimit",
                "RateLimit-Policy",
                "Retry-After",
                "WWW-Authenticate",
                "X-Request-ID",
            ),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI has it."""
        origins = scope["state"]["settings"].cors_origins if scope["type"] == "http" else ()
        await (self._allowing(origins) if origins else self.app)(scope, receive, send)
