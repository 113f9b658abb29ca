"""Protection against DNS rebinding: requests must name a host of this API."""

import re
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from accounts.api.exception_handlers import render_problem
from accounts.api.problems import Problem

HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^:]*)(:\d+)?")  # RFC 9110, 7.2
NAME_LENGTH = 253  # RFC 1035, 2.3.4
PROBES = "/health/"
NOT_ALLOWED = Problem.from_status(
    HTTPStatus.BAD_REQUEST,
    "HOST_NOT_ALLOWED",
    reason="The Host header names neither the host of PUBLIC_URL nor one of ALLOWED_HOSTS.",
)


class TrustedHosts:
    """Refuse requests whose Host header is not one of the setting's hosts.

    Health probes may use any host, since load balancers and orchestrators probe IP addresses.
    Starlette's TrustedHostMiddleware has no exempt paths, cannot parse IPv6 hosts, and answers in plain text.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI connection."""
        if scope["type"] == "http" and not scope["path"].startswith(PROBES):
            host = HOST.fullmatch(Headers(scope=scope).get("host", "").lower())
            allowed = scope["state"]["settings"].hosts
            if "*" not in allowed and (host is None or not _is_allowed(host["name"], allowed)):
                await (await render_problem(Request(scope), NOT_ALLOWED))(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _is_allowed(name: str, allowed: frozenset[str]) -> bool:
    """Return whether a name is allowed, or a domain above it with ``*.``."""
    if name in allowed or len(name) > NAME_LENGTH:
        return name in allowed
    above = (name[dot:] for dot, character in enumerate(name) if character == "." and dot)
    return any(f"*{domain}" in allowed for domain in above)
