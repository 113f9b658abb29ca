"""The lists of breached passwords that the settings name (NIST SP 800-63B-4, 3.1.1.2): a file, an API, or both.

A list that fails refuses no password: for half a minute it is not asked again, so that a server that is down delays few
requests. Neither logs nor metrics contain anything of a password.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from accounts.domain.breached_passwords.hash_file import HashFile
from accounts.observability import metrics
from accounts.settings import Settings, SettingsError

SECONDS = 2.0  # for one list, from the name's resolution to the last byte
PAUSE_SECONDS = 30.0
log = logging.getLogger("accounts")

Contains = Callable[[bytes], Awaitable[bool]]
IsBreached = Callable[[str], Awaitable[bool]]


class FailOpen:
    """A list with a time limit, which contains nothing while it fails. ``contains`` takes a SHA-1 hash."""

    def __init__(self, name: str, contains: Contains) -> None:
        self._name = name
        self._contains = contains
        self._paused_until = 0.0

    async def contains(self, digest: bytes) -> bool:
        """Return whether the list contains a password by its SHA-1 hash, or False if it cannot be asked."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._paused_until:
            metrics.BREACH_CHECK_SKIPPED.inc()
            return False
        try:
            async with asyncio.timeout(SECONDS):
                found = await self._contains(digest)
        except OSError as error:  # TimeoutError is one
            self._paused_until = loop.time() + PAUSE_SECONDS
            metrics.BREACH_CHECK_FAILED.inc()
            reason = str(error) or type(error).__name__
            log.warning("passwords are not looked up in %s for %.0f s: %s", self._name, PAUSE_SECONDS, reason)
            return False
        (metrics.BREACHED if found else metrics.NOT_BREACHED).inc()
        return found


@asynccontextmanager
async def open_lists(settings: Settings) -> AsyncIterator[IsBreached]:
    """Open the lists and yield the function that looks a password up in them. Without lists it finds none.

    Raises:
        SettingsError: BREACHED_PASSWORDS_FILE is not usable.

    """
    lists: list[FailOpen] = []

    async def is_breached(password: str) -> bool:
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
        for each in lists:
            if await each.contains(digest):
                return True
        return False

    async with AsyncExitStack() as stack:
        if settings.breached_passwords_file:
            file = _open_file(settings.breached_passwords_file)
            stack.callback(file.close)
            lists.append(FailOpen("BREACHED_PASSWORDS_FILE", file.contains))
        if settings.breached_passwords_url:
            # Costs memory and start-up time.
            from accounts.domain.breached_passwords.range_api import RangeApi  # noqa: PLC0415

            api = RangeApi(settings.breached_passwords_url)
            stack.push_async_callback(api.close)
            lists.append(FailOpen("BREACHED_PASSWORDS_URL", api.contains))
        yield is_breached


def check_file(settings: Settings) -> None:
    """Check BREACHED_PASSWORDS_FILE before anything is started.

    Raises:
        SettingsError: it is not usable.

    """
    if settings.breached_passwords_file:
        _open_file(settings.breached_passwords_file).close()


def _open_file(path: Path) -> HashFile:
    try:
        return HashFile(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"accounts: BREACHED_PASSWORDS_FILE: {reason}") from None
