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


WAITING = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def is_waiting(world: World) -> bool:
    """Return whether a statement waits for a lock."""
    async with world.sessionmaker() as db:
        return bool((await (await db.connection()).execute(text(WAITING))).all())
