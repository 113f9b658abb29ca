"""What callers share: running calls, and results that were used lately."""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """The values that were used last, at most ``size``."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable) -> T | None:
        """Return a value; None if there is none any more."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: Hashable, value: T) -> None:
        """Add or replace a value, in place of the one that was not used for the longest time."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._size:
            self._values.popitem(last=False)


class SharedCalls(Generic[T]):
    """The calls that are running, by key. A caller that is cancelled does not cancel a call for the others."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[T]] = {}

    def running(self, key: Hashable) -> asyncio.Task[T] | None:
        """Return the running call, of this event loop: tests use one loop after the other."""
        task = self._tasks.get(key)
        return task if task is not None and task.get_loop() is asyncio.get_running_loop() else None

    def start(self, key: Hashable, call: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a call. Await it with `asyncio.shield` or `asyncio.wait`."""
        task = self._tasks[key] = asyncio.create_task(call)
        task.add_done_callback(lambda done: self._finish(key, done))
        return task

    def _finish(self, key: Hashable, task: asyncio.Task[T]) -> None:
        self._tasks.pop(key, None)
        if not task.cancelled():
            task.exception()  # retrieved, also if no caller waits any more
