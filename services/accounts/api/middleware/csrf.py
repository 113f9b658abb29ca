"""Protection against cross-site request forgery, by the Fetch Metadata that browsers send (OWASP CSRF Cheat Sheet)."""

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from accounts.api.exception_handlers import render_problem
from accounts.api.http_methods import SAFE_METHODS
from accounts.api.problems import Problem
from accounts.domain.errors import CrossSite


class CrossSiteGuard:
    """Refuse unsafe requests of other sites' pages that carry ``cookie`` or go to ``paths`` (login CSRF).

    The packages for Starlette and FastAPI use double-submit tokens, which every client would have to send.
    """

    def __init__(self, app: ASGIApp, cookie: str, paths: tuple[str, ...]) -> None:
        self.app = app
        self.cookie = cookie
        self.paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI connection."""
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS:
            headers = Headers(scope=scope)
            # HTTP/2 may split cookies into several headers (RFC 9113, 8.2.3), which the application reads as one.
            guarded = self.cookie in "; ".join(headers.getlist("cookie")) or scope["path"].startswith(self.paths)
            if guarded and not is_same_origin(headers, scope["state"]["settings"].public_url):
                problem = Problem.from_refusal(CrossSite())
                await (await render_problem(Request(scope), problem))(scope, receive, send)
                return
        await self.app(scope, receive, send)


def is_same_origin(headers: Headers, public_url: str) -> bool:
    """Return whether a request comes from this origin's own pages, or from no browser at all.

    Browsers send Sec-Fetch-Site or, if they are old, Origin. Scripts can set neither.
    """
    origin = headers.get("origin")
    if origin == public_url:
        return True
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    return origin is None or origin.partition("://")[2] == headers.get("host")
