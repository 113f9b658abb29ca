"""The load process: sends prepared requests on persistent connections, as fast as they are answered.

It only moves bytes, so that it costs a fraction of what a server spends on a request. It reads jobs from standard input
and writes reports to standard output, as one line of JSON each.
"""

import asyncio
import itertools
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, override

import uvloop

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
HEAD_END = b"\r\n\r\n"
COUNT = b"########"  # replaced in each request by a unique number of as many digits
CHAINED = re.compile(rb'"refresh_token":"([^"]+)"')
TOKEN = b"%token%"  # replaced in a chained request by the refresh token of the previous response
PATIENCE = 300.0
NUMBERS = itertools.count()
# The next request of each chain, by its name and connection: a refresh token works once, in later jobs too.
CHAINS: dict[tuple[str, int], bytes] = {}


@dataclass(slots=True)
class Tally:
    """Counts of a job: the durations that are evaluated, all responses, and those with an unexpected status."""

    seconds: list[float] = field(default_factory=list)
    answers: int = 0
    wrong: int = 0
    example: str = ""


class Connection(asyncio.Protocol):
    """Sends its requests one after the other, until the deadline."""

    def __init__(self, number: int, requests: list[bytes], job: dict[str, Any], tally: Tally) -> None:
        self.chain = job.get("chain", ""), number
        started = CHAINS.get(self.chain)
        self.requests: Iterator[bytes] = itertools.repeat(started) if started else itertools.cycle(requests)
        self.tally = tally
        self.status = f"HTTP/1.1 {job['status']} ".encode()
        self.chained = job.get("chained", "").encode()
        self.buffer = bytearray()
        self.deadline = 0.0
        self.done: asyncio.Future[None] | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def send(self, request: bytes) -> None:
        """Send a request and start its timer."""
        if COUNT in request:
            request = request.replace(COUNT, b"%08d" % next(NUMBERS))
        self.started = time.perf_counter()
        self.transport.write(request)

    def run(self, deadline: float) -> asyncio.Future[None]:
        """Send requests until ``deadline``, at least one."""
        self.deadline = deadline
        self.done = asyncio.get_running_loop().create_future()
        self.send(next(self.requests))
        return self.done

    @override
    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head = self.buffer.find(HEAD_END)
        if head < 0:
            return
        length = LENGTH.search(self.buffer, 0, head)
        if length is None or len(self.buffer) < head + 4 + int(length[1]):
            return
        now = time.perf_counter()
        self._count(now - self.started)
        answer, self.buffer = self.buffer, bytearray()
        if self.chained and (token := CHAINED.search(answer)):
            CHAINS[self.chain] = self.chained.replace(TOKEN, token[1])
            self.requests = itertools.repeat(CHAINS[self.chain])
        if now < self.deadline:
            self.send(next(self.requests))
        elif self.done and not self.done.done():
            self.done.set_result(None)

    def _count(self, seconds: float) -> None:
        self.tally.answers += 1
        self.tally.seconds.append(seconds)
        if not self.buffer.startswith(self.status):
            self.tally.wrong += 1
            self.tally.example = self.buffer[:500].decode(errors="replace")

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self.done and not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))


async def perform(job: dict[str, Any]) -> dict[str, Any]:
    """Run a job, after a warm-up. If one request takes longer than the job's time, only that one is measured."""
    tally = Tally()
    first, *others = connections = await _connect(job, tally)
    await asyncio.wait_for(first.run(0), PATIENCE)
    took = tally.seconds[0]
    if took < job["seconds"]:
        if took < job["seconds"] / 10:  # not worth it for slow requests
            await asyncio.gather(*(each.run(0) for each in others))
        tally.seconds.clear()
        started = time.perf_counter()
        runs = [each.run(started + job["seconds"]) for each in connections]
        await asyncio.wait_for(asyncio.gather(*runs), PATIENCE)
        took = time.perf_counter() - started
    for connection in connections:
        connection.transport.close()
    return {**asdict(tally), "took": took}


async def _connect(job: dict[str, Any], tally: Tally) -> list[Connection]:
    requests, number = [text.encode() for text in job["requests"]], job["connections"]
    loop, connections = asyncio.get_running_loop(), []
    for each in range(number):
        connection = Connection(each, requests[each::number] or requests, job, tally)
        await loop.create_connection(partial(lambda protocol: protocol, connection), "127.0.0.1", job["port"])
        connections.append(connection)
    return connections


async def main() -> None:
    """Run jobs from standard input, on the last core."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await perform(json.loads(line))), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
