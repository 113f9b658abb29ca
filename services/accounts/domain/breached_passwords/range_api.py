"""The range API of Have I Been Pwned (https://haveibeenpwned.com/API/v3#PwnedPasswords), or a mirror of it.

The server learns the first five digits of a password's SHA-1 hash, and answers with the rest of all hashes that begin
so, about two thousand. ``Add-Padding`` hides the number of them, by which an observer could tell the digits.
"""

import re
from collections import OrderedDict
from http import HTTPStatus

from accounts.domain.http_client import HttpClient

PREFIX_LENGTH = 5
CACHED_ANSWERS = 16  # users send a form again, and again with the same password
LINE = re.compile(rb"([0-9A-F]{35}):([0-9]{1,12})")
HEADERS = {"Add-Padding": "true"}


class RangeApi:
    """A client of the API at ``url``, which is the part before ``/range/``."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = HttpClient(environment=True)
        self._answers: OrderedDict[str, frozenset[bytes]] = OrderedDict()  # the one used last comes last

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

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
        status, body = await self._client.fetch(f"{self._url}/range/{prefix}", headers=HEADERS)
        if status != HTTPStatus.OK:
            raise OSError(f"the server answered with status {status}")
        return body


def _parse(body: bytes) -> frozenset[bytes]:
    """Return the rest of the hashes in an answer, without its padding, whose counts are zero."""
    lines = [LINE.fullmatch(line) for line in body.upper().split()]
    if None in lines:
        raise OSError("the answer has other lines than hashes with counts")
    return frozenset(line[1] for line in lines if line and int(line[2]))
