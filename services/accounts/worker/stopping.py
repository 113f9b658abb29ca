"""Stopping: mail that is being sent is finished, and work on the database gets a few seconds more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

DATABASE_SECONDS = 5.0  # for each piece of work that is in progress; the database may be away or silent


class Stop:
    """The request to stop, which the jobs of a worker share."""

    def __init__(self) -> None:
        self._requested = asyncio.Event()
        self._limits: set[asyncio.Timeout] = set()

    def request(self) -> None:
        """Start no further work, and limit the time of all ``limit`` blocks in progress."""
        self._requested.set()
        for limit in self._limits:
            limit.reschedule(self._deadline())

    def is_requested(self) -> bool:
        """Return whether the worker stops."""
        return self._requested.is_set()

    async def wait(self) -> None:
        """Wait for the request."""
        await self._requested.wait()

    @asynccontextmanager
    async def limit(self) -> AsyncIterator[None]:
        """Allow the block ``DATABASE_SECONDS`` after the request, or after its beginning if that is later.

        Raises:
            TimeoutError: it took longer.

        """
        async with asyncio.timeout_at(self._deadline() if self.is_requested() else None) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + DATABASE_SECONDS
