"""``make soak``: minutes of what people do all day, and whether the service has become larger by it."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from faults.clients import GOOD, Clients
from faults.stack import Stack, stack
from support.processes import children, descriptors, private_bytes

PEOPLE = 16
SAMPLES = 100
PART = SAMPLES // 5  # what comes first warms up; the second part is compared with the last
GROWTH = 1.1
SPARE = 4  # descriptors and connections come and go with the clients of a moment
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'accounts_api'"


@dataclass(frozen=True)
class Sample:
    """The private megabytes of all workers, their open descriptors, and their connections to PostgreSQL."""

    megabytes: float
    descriptors: int
    connections: int


async def sample(made: Stack) -> Sample:
    """Look at all workers."""
    workers = list(children(made.api.process.pid))
    (counted,) = await made.fetch(CONNECTIONS)
    return Sample(
        sum(map(private_bytes, workers)) / 1e6,
        sum(map(descriptors, workers)),
        counted["count"],
    )


async def soak(minutes: float) -> list[str]:
    """Serve people for so many minutes, and say what is wrong then."""
    async with stack() as made, made.api.client() as client:
        await made.api.start()
        try:
            await made.api.answers("/health/ready")
            clients = Clients(client)
            await clients.begin()
            samples = []
            async with clients.working(PEOPLE):
                for _ in range(SAMPLES):
                    await asyncio.sleep(minutes * 60 / SAMPLES)
                    samples.append(await sample(made))
        finally:
            await made.api.stop()
    print(", ".join(f"{number} of {kind}" for kind, number in sorted(clients.seen.answers.items())), end="; ")
    print(f"the longest took {clients.seen.longest:.1f} s")
    bad = clients.seen.answers.keys() - GOOD
    return [f"answers of {', '.join(sorted(bad))}"] * bool(bad) + grown(samples)


def grown(samples: Sequence[Sample]) -> list[str]:
    """Compare what a service has at the end with what it had when it was warm, and say what has grown."""
    warm, last = samples[PART : 2 * PART], samples[-PART:]
    limits: dict[str, Callable[[float], float]] = {
        "megabytes": lambda before: before * GROWTH,
        "descriptors": lambda before: before + SPARE,
        "connections": lambda before: before + SPARE,
    }
    found = []
    for name, limit in limits.items():
        before, after = (median(getattr(each, name) for each in part) for part in (warm, last))
        print(f"{name}: {before:.0f} when it was warm, {after:.0f} at the end")
        if after > limit(before):
            found.append(f"{name} have grown from {before:.0f} to {after:.0f}")
    return found


if __name__ == "__main__":
    wrong = asyncio.run(soak(float(sys.argv[1])))
    sys.exit("; ".join(f"soak: {each}" for each in wrong) or None)
