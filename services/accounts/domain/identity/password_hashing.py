"""Password hashing: Argon2id, behind ``HashingQueue``.

Each thread takes 19 MiB of memory, or up to 100 MiB while it verifies a hash that was imported from another system.
"""

import copy
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Self, override

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

from accounts.domain.errors import Refusal, RegisterInvalidPassword
from accounts.domain.identity.foreign_hashes import ForeignHasher
from accounts.domain.identity.hashing_queue import HashingQueue
from accounts.domain.identity.password_policy import BREACHED, find_weakness
from accounts.domain.identity.stored_hashes import has_acceptable_cost
from accounts.schemas.identity.users import UserCreate

# OWASP Password Storage Cheat Sheet: Argon2id with 19 MiB, two passes and one lane. Takes about 40 ms of a core.
MEMORY_KIB = 19 * 1024
BCRYPT_BYTES = 72


class VerifyOnlyBcrypt(BcryptHasher):
    """Verifies hashes that were imported; the user's next sign-in replaces them."""

    @override
    def verify(self, password: str | bytes, hash: str | bytes) -> bool:
        # Imported hashes ignore the bytes beyond the 72nd; this version of bcrypt would raise.
        encoded = password.encode() if isinstance(password, str) else password
        return super().verify(encoded[:BCRYPT_BYTES], hash)


PASSWORD_HASH = PasswordHash(
    (Argon2Hasher(memory_cost=MEMORY_KIB, time_cost=2, parallelism=1), VerifyOnlyBcrypt(), ForeignHasher())
)


Admit = Callable[[], Awaitable[tuple[str, ...]]]
IsBreached = Callable[[str], Awaitable[bool]]


async def _admit_command() -> tuple[str, ...]:
    return ("",)  # commands have no client to limit


async def not_looked_up(_: str) -> bool:
    """Return False: for commands that set no password which a user chose."""
    return False


class PasswordHasher:
    """Hashes and verifies passwords on ``threads`` threads.

    Args:
        threads: how many passwords are hashed at once.
        min_length: the length of the shortest new password.
        is_breached: looks a new password up in lists of leaked ones; no database connection is held meanwhile.

    """

    def __init__(self, threads: int, min_length: int = 12, is_breached: IsBreached = not_looked_up) -> None:
        self.min_length = min_length
        self.is_breached = is_breached
        self.queue = HashingQueue(threads)
        self.admit: Admit = _admit_command

    def for_request(self, admit: Admit) -> Self:
        """Return a hasher on the same queue that calls ``admit`` before each piece of work.

        Args:
            admit: counts the request, or raises; returns the callers that share the queue: the client, and the user.

        """
        hasher = copy.copy(self)
        hasher.admit = admit
        return hasher

    async def hash(self, password: str) -> str:
        """Hash a password.

        Raises:
            Busy: the queue is full.

        """
        return await self._run(lambda: PASSWORD_HASH.hash(password))

    async def hash_new(self, password: str, about: Iterable[str], refusal: type[Refusal]) -> str:
        """Apply the policy to a new password and hash it. ``about``: names and email addresses of the user.

        Raises:
            refusal: the policy refuses the password; its reason says why.
            Busy: the queue is full.

        """
        if reason := find_weakness(password, self.min_length, about):
            raise refusal(reason)
        callers = await self.admit()
        if await self.is_breached(password):
            raise refusal(BREACHED)
        return await self.queue.run(lambda: PASSWORD_HASH.hash(password), callers)

    async def new_user_columns(self, user_create: UserCreate) -> dict[str, Any]:
        """Return the columns of a new user, with the password checked and hashed.

        Raises:
            RegisterInvalidPassword: the policy refuses the password.
            Busy: the queue is full.

        """
        columns = user_create.model_dump()
        about = user_create.email, user_create.display_name
        hashed = await self.hash_new(columns.pop("password"), about, RegisterInvalidPassword)
        return columns | {"hashed_password": hashed}

    async def verify(self, password: str, hashed: str | None) -> tuple[bool, str | None]:
        """Verify a password against a hash.

        Without a hash, or if it is too expensive or malformed, the same work is done and the answer is False.

        Returns:
            Whether the password is correct, and a new hash if the parameters of the stored one are outdated.

        Raises:
            Busy: the queue is full.

        """
        if hashed is None or not has_acceptable_cost(hashed):
            await self.hash(password)
            return False, None
        return await self._run(lambda: _verify(password, hashed))

    async def _run[Result](self, work: Callable[[], Result]) -> Result:
        return await self.queue.run(work, await self.admit())

    def close(self) -> None:
        """Finish the running hashes, and cancel the waiting ones."""
        self.queue.close()


def is_password(password: str, hashed: str) -> bool:
    """Verify a password against a hash, in this thread: for commands and at start, when no requests wait."""
    return has_acceptable_cost(hashed) and _verify(password, hashed)[0]


def _verify(password: str, hashed: str) -> tuple[bool, str | None]:
    try:
        return PASSWORD_HASH.verify_and_update(password, hashed)
    except (UnknownHashError, ValueError):  # malformed after a valid prefix
        return False, None
