"""Password hashing: bounded in memory, time and priority, whatever hash is stored."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.bcrypt import BcryptHasher

from accounts.domain.errors import Busy
from accounts.domain.identity import password_hashing
from accounts.domain.identity.hashing_queue import NICENESS, threads_per_worker
from accounts.domain.identity.password_hashing import PasswordHasher
from support.people import PASSWORD, World

SALT_AND_DIGEST = "c29tZXNhbHRzb21l$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI"
BCRYPT_SALT_AND_DIGEST = "OZDvbR2dVxukDnEc6RnIqOAvCi/nwuCUrD85D8lGhS4AQFGiCR67W"
TOO_EXPENSIVE = [
    f"$argon2id$v=19$m={8 * 1024 * 1024},t=2,p=1${SALT_AND_DIGEST}",
    f"$argon2id$v=19$m=19456,t=4294967295,p=1${SALT_AND_DIGEST}",
    f"$argon2id$v=19$m=19456,t=2,p=1000${SALT_AND_DIGEST}",
    f"$argon2i$m={'9' * 400},t=2,p=1${SALT_AND_DIGEST}",
    f"$2b$31${BCRYPT_SALT_AND_DIGEST}",
]
MALFORMED = [
    "",
    "!",
    PASSWORD,
    "$1$salt$qJH7.N4xYta3aEG/dfqo/0",
    "$argon2id$v=19$m=19456,t=2,p=1$",
    "$argon2id$v=19$m=19456,t=2,p=1$?$?",
    "$2b$12$",
    f"$2b$00${BCRYPT_SALT_AND_DIGEST}",
]


@pytest.fixture
def hashing() -> Iterator[PasswordHasher]:
    hashing = PasswordHasher(2)
    yield hashing
    hashing.close()


@pytest.mark.parametrize("hashed", TOO_EXPENSIVE)
async def test_stored_hash_with_excessive_cost_is_not_computed(
    hashing: PasswordHasher, monkeypatch: pytest.MonkeyPatch, hashed: str
) -> None:
    monkeypatch.setattr(
        password_hashing.PASSWORD_HASH, "verify_and_update", lambda *_: pytest.fail("the hash was computed")
    )

    assert await hashing.verify(PASSWORD, hashed) == (False, None)


@pytest.mark.parametrize("hashed", [*TOO_EXPENSIVE[:1], *MALFORMED])
async def test_sign_in_with_an_unusable_stored_hash_fails_as_a_wrong_password(world: World, hashed: str) -> None:
    arthur = await world.user("arthur", hashed_password=hashed)

    response = await world.login(arthur)

    assert (response.status_code, response.json()["detail"]) == (400, "LOGIN_BAD_CREDENTIALS")


async def test_fastapi_users_hashes_verify_and_are_replaced(hashing: PasswordHasher) -> None:
    correct, updated = await hashing.verify(PASSWORD, PasswordHash.recommended().hash(PASSWORD))

    assert correct
    assert updated is not None
    assert "m=65536" not in updated


async def test_bcrypt_verifies_72_bytes_and_its_replacement_all_of_them(hashing: PasswordHasher) -> None:
    long = PASSWORD * 5

    correct, updated = await hashing.verify(long, BcryptHasher(4).hash(long.encode()[:72]))

    assert correct
    assert await hashing.verify(long, updated) == (True, None)
    assert await hashing.verify(long[:72], updated) == (False, None)


async def test_no_more_hashes_run_at_once_than_there_are_threads(hashing: PasswordHasher) -> None:
    running, highest = 0, 0

    def work() -> None:
        nonlocal running, highest
        running += 1
        highest = max(highest, running)
        time.sleep(0.02)
        running -= 1

    await asyncio.gather(*(hashing.queue.run(work) for _ in range(10)))

    assert highest == 2


async def test_cancelled_request_frees_its_place_in_the_queue(hashing: PasswordHasher) -> None:
    places = hashing.queue.places
    finish = threading.Event()
    waiting = [asyncio.create_task(hashing.queue.run(finish.wait)) for _ in range(places)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await hashing.hash(PASSWORD)

    for each in waiting:
        each.cancel()
    await asyncio.wait(waiting)
    finish.set()

    assert hashing.queue.places == places
    assert await hashing.verify(PASSWORD, await hashing.hash(PASSWORD)) == (True, None)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no priority by thread")
@pytest.mark.parametrize(
    ("platform", "niceness"), [("linux", NICENESS), ("darwin", os.getpriority(os.PRIO_PROCESS, 0))]
)
async def test_hashing_threads_have_a_low_priority(
    hashing: PasswordHasher, monkeypatch: pytest.MonkeyPatch, platform: str, niceness: int
) -> None:
    monkeypatch.setattr(sys, "platform", platform)

    in_thread = await hashing.queue.run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    assert in_thread == niceness
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) < NICENESS


@pytest.mark.parametrize(("cores", "workers", "threads"), [(8, 2, 4), (2, 2, 1), (2, 8, 1), (None, 1, 1)])
def test_workers_share_the_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, workers: int, threads: int
) -> None:
    monkeypatch.setattr(os, "process_cpu_count", lambda: cores)

    assert threads_per_worker(workers) == threads
