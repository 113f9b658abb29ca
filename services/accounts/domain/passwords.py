"""Argon2id, off the event loop and bounded: a storm of sign-ins queues up here and slows nothing else."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

from accounts.domain.errors import Busy

# OWASP's Password Storage Cheat Sheet, Argon2id: 19 MiB and two passes on one lane, some 40 ms of a core.
MEMORY_KIB = 19 * 1024
# bcrypt is only ever verified: hashes that come from elsewhere are replaced at their owner's next sign-in.
HASHES = PasswordHash((Argon2Hasher(memory_cost=MEMORY_KIB, time_cost=2, parallelism=1), BcryptHasher()))
WAITING_PER_THREAD = 50  # some two seconds of work


class Passwords:
    """Hashes and verifies passwords on ``threads`` threads, which hold ``threads`` times 19 MiB at the most.

    ``shortest`` is how many characters a new password has at the least.
    """

    def __init__(self, threads: int, shortest: int = 12) -> None:
        self.shortest = shortest
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._places = threads * (1 + WAITING_PER_THREAD)

    async def hash(self, password: str) -> str:
        """Hash a password.

        Raises:
            Busy: too many are waiting; nothing was hashed.

        """
        return await self._run(lambda: HASHES.hash(password))

    async def verify(self, password: str, hashed: str | None) -> tuple[bool, str | None]:
        """Compare a password with a hash; with None (nobody's hash) do the same work and say no.

        Returns:
            Whether they agree, and a new hash where the old one's parameters are out of date.

        Raises:
            Busy: too many are waiting; nothing was compared.

        """
        if hashed is None:
            await self.hash(password)
            return False, None
        return await self._run(lambda: HASHES.verify_and_update(password, hashed))

    async def _run[Result](self, work: Callable[[], Result]) -> Result:
        if self._places == 0:
            raise Busy
        self._places -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._places += 1

    def close(self) -> None:
        """Let what has begun end, and drop what waits."""
        self._threads.shutdown(wait=True, cancel_futures=True)


def threads_per_worker(workers: int) -> int:
    """Share the machine's cores among ``workers`` processes."""
    return max(1, (os.process_cpu_count() or 1) // workers)
