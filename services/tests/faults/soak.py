"""``make soak``: serves load for minutes, and checks that memory, descriptors and connections do not grow."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from arguments import minutes
from faults.clients import GOOD, Clients
from faults.stack import Stack, stack
from support.processes import children, descriptors, private_bytes

PEOPLE = 16
SAMPLES = 100
PART = SAMPLES // 5  # the first part is the warm-up; the second is compared with the last
GROWTH = 1.1
SPARE = 4  # descriptors and connections vary with the clients of the moment
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'accounts_api'"


@dataclass(frozen=True)
class Sample:
    """The private megabytes of all workers, their open descriptors, and their connections to PostgreSQL."""

    megabytes: float
    descriptors: int
    connections: int


async def sample(running: Stack) -> Sample:
    """Measure all workers."""
    workers = list(children(running.api.process.pid))
    (counted,) = await running.fetch(CONNECTIONS)
    return Sample(
        sum(map(private_bytes, workers)) / 1e6,
        sum(map(descriptors, workers)),
        counted["count"],
    )


async def soak(minutes: float) -> list[str]:
    """Serve load for a number of minutes, and return the problems."""
    async with stack() as running, running.api.client() as client:
        await running.api.start()
        try:
            await running.api.wait_for("/health/ready")
            clients = Clients(client)
            await clients.begin()
            samples = []
            async with clients.load(PEOPLE):
                for _ in range(SAMPLES):
                    await asyncio.sleep(minutes * 60 / SAMPLES)
                    samples.append(await sample(running))
        finally:
            await running.api.stop()
    print(", ".join(f"{number} of {kind}" for kind, number in sorted(clients.seen.answers.items())), end="; ")
    print(f"the slowest took {clients.seen.longest:.1f} s")
    unexpected = clients.seen.answers.keys() - GOOD
    return [f"unexpected responses: {', '.join(sorted(unexpected))}"] * bool(unexpected) + grown(samples)


def grown(samples: Sequence[Sample]) -> list[str]:
    """Compare the last samples with those after the warm-up, and return what has grown."""
    warm, last = samples[PART : 2 * PART], samples[-PART:]
    limits: dict[str, Callable[[float], float]] = {
        "megabytes": lambda before: before * GROWTH,
        "descriptors": lambda before: before + SPARE,
        "connections": lambda before: before + SPARE,
    }
    problems = []
    for name, limit in limits.items():
        before, after = (median(getattr(measured, name) for measured in part) for part in (warm, last))
        print(f"{name}: {before:.0f} after the warm-up, {after:.0f} at the end")
        if after > limit(before):
            problems.append(f"{name} have grown from {before:.0f} to {after:.0f}")
    return problems


if __name__ == "__main__":
    problems = asyncio.run(soak(minutes(sys.argv[1:])))
    sys.exit("; ".join(f"soak: {problem}" for problem in problems) or None)
