"""A time limit for every test, which names the test and the line at which it waited.

pytest-timeout ends synchronous tests by a signal. It cannot end an ``await`` without breaking the event loop that
the following tests use, so tests that are coroutines are cancelled a little earlier.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

import pytest

SECONDS = 120
MARGIN = 10  # seconds for the cancelled test to clean up


def limit_time(item: pytest.Item) -> None:
    """Give a test a limit, unless it carries a ``timeout`` marker of its own."""
    marker = item.get_closest_marker("timeout")
    seconds = marker.args[0] if marker else SECONDS
    if not marker:
        item.add_marker(pytest.mark.timeout(seconds))
    if isinstance(item, pytest.Function) and iscoroutinefunction(item.obj):
        item.obj = _cancelled_after(seconds - MARGIN, item.obj)


def _cancelled_after(seconds: float, test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @wraps(test)
    async def limited(*args: Any, **kwargs: Any) -> None:
        async with asyncio.timeout(seconds):
            await test(*args, **kwargs)

    return limited
