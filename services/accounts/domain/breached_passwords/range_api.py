"""The range API of Have I Been Pwned (https://haveibeenpwned.com/API/v3#PwnedPasswords), or a mirror of it.

The server learns the first five digits of a password's SHA-1 hash, and answers with the rest of all hashes that begin
so, about two thousand. ``Add-Padding`` hides the number of them, by which an observer could tell the digits.
"""

import re
from collections import OrderedDict
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

PREFIX_LENGTH = 5
MAX_BYTES = 512 * 1024  # eight times the usual answer
MAX_CONNECTIONS = 10
CACHED_ANSWERS = 16  # users send a form again, and again with the same password
LINE = re.compile(rb"([0-9A-F]{35}):([0-9]{1,12})")
# Compression is refused, so that a small answer cannot become a large one.
HEADERS = {"Add-Padding": "true", "User-Agent": "accounts", "Accept-Encoding": "identity"}


class RangeApi:
    """A client of the API at ``url``, which is the part before ``/range/``."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx2.AsyncClient(
            headers=HEADERS,
            limits=httpx2.Limits(max_connections=MAX_CONNECTIONS),
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # they would link the requests
        )
        self._answers: OrderedDict[str, frozenset[bytes]] = OrderedDict()  # the one used last comes last

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def contains(self, digest: bytes) -> bool:
        """Return whether a password is known by its SHA-1 hash.

        Raises:
            OSError: the server cannot be reached, or answers something else.

        """
        text = digest.hex().upper()
        prefix, suffix = text[:PREFIX_LENGTH], text[PREFIX_LENGTH:]
        if prefix not in self._answers:
            self._answers[prefix] = _parse(await self._fetch(prefix))
            if len(self._answers) > CACHED_ANSWERS:
                self._answers.popitem(last=False)
        self._answers.move_to_end(prefix)
        return suffix.encode() in self._answers[prefix]

    async def _fetch(self, prefix: str) -> bytes:
        body = bytearray()
        try:
            async with self._client.stream("GET", f"{self._url}/range/{prefix}") as response:
                if response.status_code != HTTPStatus.OK:
                    raise OSError(f"the server answered with status {response.status_code}")
                async for part in response.aiter_raw():
                    body += part
                    if len(body) > MAX_BYTES:
                        raise OSError("the answer is too long")
        except httpx2.HTTPError as error:
            raise OSError(type(error).__name__) from None  # its text may contain the URL, and so the prefix
        return bytes(body)


def _parse(body: bytes) -> frozenset[bytes]:
    """Return the rest of the hashes in an answer, without its padding, whose counts are zero."""
    lines = [LINE.fullmatch(line) for line in body.upper().split()]
    if None in lines:
        raise OSError("the answer has other lines than hashes with counts")
    return frozenset(line[1] for line in lines if line and int(line[2]))
