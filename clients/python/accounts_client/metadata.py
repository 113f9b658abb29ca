"""Where the issuer's endpoints are: its metadata (RFC 8414)."""

from asyncio import shield
from time import monotonic

from accounts_client.errors import IssuerUnavailable
from accounts_client.http import IssuerHttp
from accounts_client.sharing import SharedCalls

PATH = "/.well-known/oauth-authorization-server"
CACHED_SECONDS = 3600.0


class Metadata:
    """The endpoints that the issuer names, cached for an hour."""

    def __init__(self, http: IssuerHttp, issuer: str) -> None:
        self._http = http
        self._issuer = issuer
        self._calls = SharedCalls[None]()
        self._document: dict[str, object] = {}
        self._fresh_until = 0.0

    async def endpoint(self, name: str) -> str:
        """Return the URL of an endpoint.

        Raises:
            IssuerUnavailable: there is no such metadata, it is another issuer's, or names no safe URL.

        """
        if monotonic() >= self._fresh_until:
            await shield(self._calls.running("") or self._calls.start("", self._refresh()))
        url = self._document.get(name)
        if not isinstance(url, str) or not url.startswith(("https://", f"{self._issuer}/")):
            raise IssuerUnavailable(f"{self._issuer} names no {name} below https or its own address")
        return url

    async def _refresh(self) -> None:
        document = (await self._http.fetch("GET", self._issuer + PATH)).content
        if document.get("issuer") != self._issuer:  # RFC 8414, 3.3
            raise IssuerUnavailable(f"{self._issuer} names another issuer: {document.get('issuer')!r:.200}")
        self._document, self._fresh_until = document, monotonic() + CACHED_SECONDS
