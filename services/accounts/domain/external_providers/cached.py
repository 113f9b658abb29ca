"""A document of a provider that is fetched when it is first needed, by one request at a time, and kept for an hour."""

import asyncio
from collections.abc import Awaitable, Callable

from accounts.domain import errors

HOUR = 3600.0
RENEW_SECONDS = 60.0
PAUSE_SECONDS = 10.0  # after a failure: until then the provider costs its users no time


class Cached[Document]:
    """The document that ``load`` fetches. After a failure it is not called again for ten seconds."""

    def __init__(self, load: Callable[[], Awaitable[Document]]) -> None:
        self._load = load
        self._lock = asyncio.Lock()
        self._document: Document | None = None
        self._expires_at = self._renewable_at = self._paused_until = 0.0

    async def get(self) -> Document:
        """Return the document, at most an hour old. Raises ProviderUnavailable."""
        if self._document is not None and _now() < self._expires_at:
            return self._document
        async with self._lock:
            if self._document is None or _now() >= self._expires_at:
                self._document = await self._fetch()
            return self._document

    async def get_newer(self, known: Document) -> Document:
        """Return the document, fetched again unless that was done in the last minute. Raises ProviderUnavailable.

        Args:
            known: what ``get`` returned. If others have fetched another one since, that is returned.

        """
        async with self._lock:
            if self._document is known and _now() >= self._renewable_at:
                self._renewable_at = _now() + RENEW_SECONDS
                self._document = await self._fetch()
            return known if self._document is None else self._document

    async def _fetch(self) -> Document:
        if _now() < self._paused_until:
            raise errors.ProviderUnavailable
        try:
            document = await self._load()
        except errors.ProviderUnavailable:
            self._paused_until = _now() + PAUSE_SECONDS
            raise
        self._expires_at = _now() + HOUR
        return document


def _now() -> float:
    return asyncio.get_running_loop().time()
