"""Waiting for other tasks and processes. Every wait has a timeout, whose error says what did not happen."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable

from sqlalchemy import text

from support.people import World

PATIENCE = 60.0  # seconds; far more than any wait needs, because a busy machine must not fail a test
POLL = 0.05


def wait_until(what: str, condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Poll ``condition`` until it is true.

    Raises:
        TimeoutError: it is still false after ``seconds``; the message names ``what``.

    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"still waiting after {seconds:g} s: {what}")
        time.sleep(POLL)


async def eventually(what: str, condition: Callable[[], bool | Awaitable[bool]], seconds: float = PATIENCE) -> None:
    """Poll ``condition``, which may be asynchronous, until it is true, while other tasks go on.

    Raises:
        TimeoutError: it is still false after ``seconds``; the message names ``what``.

    """
    deadline = time.monotonic() + seconds
    while not (await result if isawaitable(result := condition()) else result):
        if time.monotonic() > deadline:
            raise TimeoutError(f"still waiting after {seconds:g} s: {what}")
        await asyncio.sleep(POLL)


WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def count_lock_waits(world: World) -> int:
    """Return how many statements wait for a lock.

    Each look is a transaction of its own: PostgreSQL shows one transaction the same statements throughout.
    """
    async with world.sessionmaker() as db:
        return int((await (await db.connection()).execute(text(WAITING))).scalar_one())


async def wait_for_lock(world: World, what: str = "a request waits for a lock") -> None:
    """Return when a statement waits for a lock."""

    async def waits() -> bool:
        return await count_lock_waits(world) > 0

    await eventually(what, waits)


async def wait_for_locks(world: World, number: int) -> None:
    """Return when this number of statements wait for a lock."""

    async def wait() -> bool:
        return await count_lock_waits(world) == number

    await eventually(f"{number} requests wait for a lock", wait)
