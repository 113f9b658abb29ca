"""Two tiers of tests, and a time limit for each test.

The fast tier (``make test``) starts no processes. A test that starts one, or waits for seconds, is marked ``slow`` and
runs in ``make test-all`` only. An audit hook enforces this: a fast test fails when it starts a process.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

import pytest

SLOW_FIXTURES = {"browser", "databases", "server"}  # they start processes, or their tests do
PROCESS_EVENTS = {"subprocess.Popen", "os.posix_spawn", "os.fork", "os.exec"}
FAST_SECONDS, SLOW_SECONDS = 120, 900  # far more than any test takes, even on a busy machine
MARGIN = 5  # seconds for a cancelled test to clean up
RUNNING: list[str] = []  # the fast test that runs now


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark slow tests, give every test its time limit, and put the longest first so that no worker ends with one."""
    for item in items:
        if SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ())) and not is_slow(item):
            item.add_marker(pytest.mark.slow)
        _limit_time(item, SLOW_SECONDS if is_slow(item) else FAST_SECONDS)
    items.sort(key=_seconds, reverse=True)


def is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None


def _seconds(item: pytest.Item) -> float:
    """Return what a slow test says that it takes: ``@pytest.mark.slow(seconds=60)``."""
    marker = item.get_closest_marker("slow")
    seconds: float = marker.kwargs.get("seconds", 1) if marker else 0
    return seconds


def _limit_time(item: pytest.Item, seconds: float) -> None:
    """Add pytest-timeout's marker, and cancel coroutines a little earlier.

    pytest-timeout ends a test by a signal, which breaks the event loop that the following tests use if the test awaits.
    """
    if marker := item.get_closest_marker("timeout"):
        seconds = marker.args[0]
    else:
        item.add_marker(pytest.mark.timeout(seconds))
    if isinstance(item, pytest.Function) and iscoroutinefunction(item.obj):
        item.obj = _cancelled_after(seconds - MARGIN, item.obj)


def _cancelled_after(seconds: float, test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @wraps(test)
    async def limited(*args: Any, **kwargs: Any) -> None:
        async with asyncio.timeout(seconds):
            await test(*args, **kwargs)

    return limited


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let the audit hook know which test runs now."""
    RUNNING[:] = [] if is_slow(item) else [item.nodeid]


def _refuse_processes(event: str, _arguments: tuple[Any, ...]) -> None:
    if RUNNING and event in PROCESS_EVENTS:
        raise RuntimeError(f"{RUNNING[0]} starts a process: mark it with @pytest.mark.slow")


sys.addaudithook(_refuse_processes)
