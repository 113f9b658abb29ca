"""Requests to the issuer: bounded in size and time, without redirects."""

import asyncio
import json
import re
import ssl
from functools import cache
from typing import Any, NamedTuple

import httpx2

from accounts_client.errors import IssuerUnavailable

MAX_BYTES = 256 * 1024
SECONDS = 5.0  # for a whole response, however slowly it arrives
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}
MAX_AGE = re.compile(r'max-age="?(\d{1,9})')


class Document(NamedTuple):
    """A JSON object, and for how many seconds it may be cached; None if the response does not say it."""

    content: dict[str, Any]
    max_age: int | None


class IssuerHttp:
    """Connections to the issuer."""

    def __init__(self) -> None:
        _tls()  # not at the first request, which would wait
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: httpx2.AsyncClient | None = None

    async def fetch(self, method: str, url: str, **request: Any) -> Document:
        """Request a JSON object.

        Raises:
            IssuerUnavailable: there is no response of status 200 in time, or it is not a JSON object of bounded size.

        """
        try:
            async with asyncio.timeout(SECONDS):
                return await self._fetch(method, url, **request)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError, RecursionError) as error:
            raise IssuerUnavailable(f"{method} {url}: {str(error) or type(error).__name__}") from error

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None and self._loop is asyncio.get_running_loop():
            await self._client.aclose()
        self._client = None

    async def _fetch(self, method: str, url: str, **request: Any) -> Document:
        body = bytearray()
        headers = HEADERS | request.pop("headers", {})
        async with self._client_of_loop().stream(method, url, headers=headers, **request) as response:
            if response.status_code != httpx2.codes.OK:
                raise ValueError(f"status {response.status_code}")
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise ValueError(f"more than {MAX_BYTES} bytes")
        content = json.loads(body)
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004  # handled with the others
        return Document(content, _max_age(response.headers.get("cache-control", "")))

    def _client_of_loop(self) -> httpx2.AsyncClient:
        """Return the client of the running event loop: tests use one loop after the other."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._loop, self._client = loop, httpx2.AsyncClient(verify=_tls())
        return self._client


@cache
def _tls() -> ssl.SSLContext:
    """Read the machine's certificates, which takes long."""
    return httpx2.create_ssl_context()


def _max_age(cache_control: str) -> int | None:
    """Return the seconds of a Cache-Control header (RFC 9111, 5.2.2)."""
    text = cache_control.lower()
    if "no-store" in text or "no-cache" in text:
        return 0
    found = MAX_AGE.search(text)
    return int(found[1]) if found else None
