"""The queue of passwords to hash, in front of a few low-priority threads.

Many concurrent sign-ins slow down no other request: they wait, and are refused while the queue is full. Users take
turns, and clients that are not signed in; each has only a share of the places. So one that floods the queue delays
another by one hash at most.
"""

import asyncio
import os
import sys
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from accounts.domain.errors import Busy
from accounts.observability import metrics

NICENESS = 10  # weighs a tenth of the event loops: less would starve sign-ins while these are busy
WAITING_PER_THREAD = 50  # about two seconds of work
SHARES = 2  # one client or user may have half of the places


class HashingQueue:
    """A bounded queue in front of ``threads`` threads."""

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2", initializer=_lower_thread_priority)
        self.places = threads * (1 + WAITING_PER_THREAD)
        self.share = self.places // SHARES
        self._used = 0
        self._used_by: Counter[str] = Counter()
        self._idle = threads
        self._turns: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()  # by caller, the next one first

    async def run[Result](self, work: Callable[[], Result], callers: tuple[str, ...] = ("",)) -> Result:
        """Run ``work`` on a thread, and count it for each of ``callers``: the client, and the user if signed in.

        Raises:
            Busy: the queue, or the share of a caller, is full.

        """
        if self._used >= self.places or any(self._used_by[caller] >= self.share for caller in filter(None, callers)):
            metrics.HASHES_REFUSED.inc()
            raise Busy
        self._count(callers, 1)
        try:
            with metrics.HASHES_PENDING.track_inprogress():
                await self._turn(callers[-1] or callers[0])  # a user has one turn from all clients together
                try:
                    return await asyncio.get_running_loop().run_in_executor(self._threads, _timed, work)
                finally:
                    self._pass_on()
        finally:
            self._count(callers, -1)

    async def _turn(self, caller: str) -> None:
        """Wait until a thread is free and it is the caller's turn."""
        if self._idle:
            self._idle -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._turns.setdefault(caller, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the turn came in the same moment
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Give the thread to the next caller, which then is the last one."""
        while self._turns:
            caller, waiting = self._turns.popitem(last=False)
            turn = waiting.popleft()
            if waiting:
                self._turns[caller] = waiting
            if not turn.cancelled():
                turn.set_result(None)
                return
        self._idle += 1

    def _count(self, callers: tuple[str, ...], change: int) -> None:
        self._used += change
        for caller in filter(None, callers):
            self._used_by[caller] += change
            if not self._used_by[caller]:
                del self._used_by[caller]  # or every client would stay in memory

    def close(self) -> None:
        """Finish the running hashes, and cancel the waiting ones."""
        self._threads.shutdown(wait=True, cancel_futures=True)


def threads_per_worker(workers: int) -> int:
    """Return how many threads each of ``workers`` processes should have on this machine."""
    return max(1, (os.process_cpu_count() or 1) // workers)


def _timed[Result](work: Callable[[], Result]) -> Result:
    with metrics.HASH_SECONDS.time():
        return work()


def _lower_thread_priority() -> None:
    if sys.platform == "linux":  # other systems have no priority by thread
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
