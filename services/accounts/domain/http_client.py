"""Requests to other servers, with a limit on everything: time, length and connections. Redirects are not followed.

A server that is slow, broken or hostile costs the request that asks it, and no more. Importing this module costs memory
and start-up time, so it is imported when the first server is asked.
"""

import asyncio
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import NamedTuple

import httpx2

CONNECT_SECONDS = 3.0
SECONDS = 5.0  # from the name's resolution to the last byte
MAX_BYTES = 512 * 1024
MAX_CONNECTIONS = 10
# Compression is refused, so that a small answer cannot become a large one.
HEADERS = {"User-Agent": "accounts", "Accept-Encoding": "identity"}


class Answer(NamedTuple):
    """The status and the body of an answer."""

    status: int
    body: bytes


class HttpClient:
    """A client for one server, or a few that belong together: they share its connections.

    Args:
        environment: whether to use the proxies that ``HTTPS_PROXY`` and the like name. The certificates in
            ``SSL_CERT_FILE`` are used in any case.

    """

    def __init__(self, *, environment: bool = False) -> None:
        self._client = httpx2.AsyncClient(
            headers=HEADERS,
            verify=httpx2.create_ssl_context(),
            trust_env=environment,
            timeout=httpx2.Timeout(SECONDS, connect=CONNECT_SECONDS),
            limits=httpx2.Limits(max_connections=MAX_CONNECTIONS),
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # they would link the requests
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def fetch(
        self, url: str, *, headers: Mapping[str, str] | None = None, form: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a GET, or a POST with ``form``, and return the answer, of any status.

        Raises:
            OSError: the server cannot be reached, or its answer is no HTTP, too late or too long. The text has
                nothing of the URL or of the answer.

        """
        try:
            async with asyncio.timeout(SECONDS):
                return await self._fetch("GET" if form is None else "POST", url, headers, form)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise OSError(type(error).__name__) from None  # its text may contain the URL

    async def _fetch(
        self, method: str, url: str, headers: Mapping[str, str] | None, form: Mapping[str, str] | None
    ) -> Answer:
        body = bytearray()
        async with self._client.stream(method, url, headers=headers, data=form) as response:
            async for part in response.aiter_raw():
                body += part
                if len(body) > MAX_BYTES:
                    raise OSError("the answer is too long")
        return Answer(response.status_code, bytes(body))
