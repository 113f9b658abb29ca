"""Argon2id, off the event loop and bounded: a storm of sign-ins queues up here and slows nothing else.

The memory budget is 19 MiB for each thread, and so for each core of the machine; 64 MiB at the most, while hashes are
verified that come from elsewhere. What waits holds none. The threads have the lowest priority: on a machine with
enough to do it is the sign-ins that wait, and beyond the bound of the queue they are sent away.
"""

import asyncio
import os
import re
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import override

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

from accounts.domain.errors import Busy
from accounts.observability import metrics

# OWASP's Password Storage Cheat Sheet, Argon2id: 19 MiB and two passes on one lane, some 40 ms of a core.
MEMORY_KIB = 19 * 1024
NICENESS = 19
WAITING_PER_THREAD = 50  # some two seconds of work
# What a stored hash may cost: argon2-cffi's defaults, which FastAPI Users has, and twice bcrypt's work. A row that was
# tampered with could ask for more memory, or more years, than there are.
COSTS = re.compile(r"\$argon2(?:id|i|d)\$(?:v=\d+\$)?m=(\d{1,9}),t=(\d{1,9}),p=(\d{1,9})\$|\$2[abxy]\$(\d\d)\$")
HIGHEST_COSTS = (64 * 1024, 4, 4, 13)
BCRYPT_BYTES = 72


class VerifyOnlyBcrypt(BcryptHasher):
    """Only ever verifies: hashes that come from elsewhere are replaced at their owner's next sign-in."""

    @override
    def verify(self, password: str | bytes, hash: str | bytes) -> bool:
        # Other versions leave out what is behind; this one would raise.
        given = password.encode() if isinstance(password, str) else password
        return super().verify(given[:BCRYPT_BYTES], hash)


PASSWORD_HASH = PasswordHash((Argon2Hasher(memory_cost=MEMORY_KIB, time_cost=2, parallelism=1), VerifyOnlyBcrypt()))


class PasswordHasher:
    """Hashes and verifies passwords on that many threads.

    ``shortest`` is how many characters a new password has at the least.
    """

    def __init__(self, threads: int, shortest: int = 12) -> None:
        self.shortest = shortest
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2", initializer=_lower_thread_priority)
        self._places = threads * (1 + WAITING_PER_THREAD)

    async def hash(self, password: str) -> str:
        """Hash a password.

        Raises:
            Busy: too many are waiting; nothing was hashed.

        """
        return await self._run(lambda: PASSWORD_HASH.hash(password))

    async def verify(self, password: str, hashed: str | None) -> tuple[bool, str | None]:
        """Compare a password with a hash.

        With None (nobody's hash), or a hash that costs too much or is none, do the same work and say no.

        Returns:
            Whether they agree, and a new hash where the old one's parameters are out of date.

        Raises:
            Busy: too many are waiting; nothing was compared.

        """
        if hashed is None or not _has_acceptable_cost(hashed):
            await self.hash(password)
            return False, None
        return await self._run(lambda: _verify(password, hashed))

    async def _run[Result](self, work: Callable[[], Result]) -> Result:
        if self._places == 0:
            metrics.HASHES_REFUSED.inc()
            raise Busy
        self._places -= 1
        try:
            with metrics.HASHES_PENDING.track_inprogress():
                return await asyncio.get_running_loop().run_in_executor(self._threads, _timed, work)
        finally:
            self._places += 1

    def close(self) -> None:
        """Let what has begun end, and drop what waits."""
        self._threads.shutdown(wait=True, cancel_futures=True)


def _timed[Result](work: Callable[[], Result]) -> Result:
    with metrics.HASH_SECONDS.time():
        return work()


def threads_per_worker(workers: int) -> int:
    """Share the machine's cores among ``workers`` processes."""
    return max(1, (os.process_cpu_count() or 1) // workers)


def _verify(password: str, hashed: str) -> tuple[bool, str | None]:
    try:
        return PASSWORD_HASH.verify_and_update(password, hashed)
    except (UnknownHashError, ValueError):  # it began like a hash
        return False, None


def _has_acceptable_cost(hashed: str) -> bool:
    found = COSTS.match(hashed)
    return found is not None and all(
        int(cost or 0) <= most for cost, most in zip(found.groups(), HIGHEST_COSTS, strict=True)
    )


def _lower_thread_priority() -> None:
    if sys.platform == "linux":  # elsewhere a thread has no priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
