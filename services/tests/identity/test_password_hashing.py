"""Hashing: bounded in memory, in time and in priority, whatever is stored."""

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
from accounts.domain.identity.password_hashing import PasswordHasher, threads_per_worker
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
NO_HASHES = [
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
async def test_a_hash_that_costs_too_much_is_not_computed(
    hashing: PasswordHasher, monkeypatch: pytest.MonkeyPatch, hashed: str
) -> None:
    monkeypatch.setattr(password_hashing.PASSWORD_HASH, "verify_and_update", lambda *_: pytest.fail("it was computed"))

    assert await hashing.verify(PASSWORD, hashed) == (False, None)


@pytest.mark.parametrize("hashed", [*TOO_EXPENSIVE[:1], *NO_HASHES])
async def test_whatever_is_stored_a_sign_in_with_it_is_a_wrong_one(world: World, hashed: str) -> None:
    arthur = await world.user("arthur", hashed_password=hashed)

    response = await world.login(arthur)

    assert (response.status_code, response.json()["detail"]) == (400, "LOGIN_BAD_CREDENTIALS")


async def test_hashes_of_fastapi_users_are_taken_over(hashing: PasswordHasher) -> None:
    agrees, updated = await hashing.verify(PASSWORD, PasswordHash.recommended().hash(PASSWORD))

    assert agrees
    assert updated is not None
    assert "m=65536" not in updated


async def test_bcrypt_looks_at_72_bytes_and_its_successor_at_all(hashing: PasswordHasher) -> None:
    long = PASSWORD * 5

    agrees, updated = await hashing.verify(long, BcryptHasher(4).hash(long.encode()[:72]))

    assert agrees
    assert await hashing.verify(long, updated) == (True, None)
    assert await hashing.verify(long[:72], updated) == (False, None)


async def test_no_more_is_computed_at_once_than_there_are_threads(hashing: PasswordHasher) -> None:
    at_work, most = 0, 0

    def work() -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        time.sleep(0.02)
        at_work -= 1

    await asyncio.gather(*(hashing._run(work) for _ in range(10)))

    assert most == 2


async def test_who_hangs_up_leaves_the_place_to_others(hashing: PasswordHasher) -> None:
    places = hashing._places
    go_on = threading.Event()
    waiting = [asyncio.create_task(hashing._run(go_on.wait)) for _ in range(places)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await hashing.hash(PASSWORD)

    for each in waiting:
        each.cancel()
    await asyncio.wait(waiting)
    go_on.set()

    assert hashing._places == places
    assert await hashing.verify(PASSWORD, await hashing.hash(PASSWORD)) == (True, None)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
@pytest.mark.parametrize(("platform", "niceness"), [("linux", 19), ("darwin", os.getpriority(os.PRIO_PROCESS, 0))])
async def test_whatever_else_there_is_to_do_comes_first(
    hashing: PasswordHasher, monkeypatch: pytest.MonkeyPatch, platform: str, niceness: int
) -> None:
    monkeypatch.setattr(sys, "platform", platform)

    found = await hashing._run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    assert found == niceness
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) < 19


@pytest.mark.parametrize(("cores", "workers", "threads"), [(8, 2, 4), (2, 2, 1), (2, 8, 1), (None, 1, 1)])
def test_the_workers_share_the_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, workers: int, threads: int
) -> None:
    monkeypatch.setattr(os, "process_cpu_count", lambda: cores)

    assert threads_per_worker(workers) == threads
