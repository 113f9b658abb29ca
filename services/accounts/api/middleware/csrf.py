"""Cross-site request forgery: what a browser's cookie may be used for, and from where."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from accounts.api.problems import STATUS, problem
from accounts.domain.errors import CrossSite

SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}


class CrossSiteGuard:
    """Refuse changes that another site's page asks for with ``cookie``, and sign-ins by ``paths`` from there.

    A browser says where a request comes from in Sec-Fetch-Site or, if it is old, in Origin; a page can forge neither.
    """

    def __init__(self, app: ASGIApp, cookie: str, paths: tuple[str, ...]) -> None:
        self.app = app
        self.cookie = cookie
        self.paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI has it."""
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS:
            headers = Headers(scope=scope)
            guarded = self.cookie in headers.get("cookie", "") or scope["path"].startswith(self.paths)
            if guarded and not from_here(headers, scope["state"]["settings"].public_url):
                await problem(STATUS[CrossSite], CrossSite.code)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def from_here(headers: Headers, public_url: str) -> bool:
    """Tell requests of this origin's own pages, and of what is no browser, from those of other sites' pages."""
    origin = headers.get("origin")
    if origin == public_url:
        return True
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    return origin is None or urlsplit(origin).netloc == headers.get("host")
