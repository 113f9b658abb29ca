"""Runs faults and returns their outcomes."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from faults.catalogue import Fault
from faults.clients import GOOD, UNAVAILABLE, Clients, Seen
from faults.stack import Stack, stack

STORED = "SELECT name FROM user_group"
BOUND = 10.0  # seconds
EXPECTED = {*GOOD, UNAVAILABLE}
HEAD = (
    "| What happens | What clients saw | Longest response | Recovered after | Lost |\n| --- | --- | --- | --- | --- |"
)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a fault: the responses, the seconds until recovery, and the number of lost writes."""

    fault: Fault
    seen: Seen
    recovered: float
    lost: int

    @property
    def row(self) -> str:
        """A row of the table, in Markdown."""
        fault = (self.fault.__doc__ or "").strip().rstrip(".")
        answers = ", ".join(f"{number} of {kind}" for kind, number in sorted(self.seen.answers.items()))
        return (
            f"| {fault} | {answers} | {self.seen.longest:.1f} s | {self.recovered:.1f} s | {self.lost or 'nothing'} |"
        )

    def broken(self, bound: float = BOUND) -> str | None:
        """Describe a broken promise, if any; ``bound`` is the maximum of the slowest response and the recovery."""
        unexpected = self.seen.answers.keys() - EXPECTED - self.seen.expected
        if unexpected or self.seen.longest > bound or self.recovered > bound or self.lost:
            return f"{self.row} {self.seen.other}"
        return None


async def outcomes(faults: Sequence[Fault], url: str | None = None) -> AsyncIterator[Outcome]:
    """Run faults one after the other on a new stack (see ``stack``). The first fault starts the API."""
    async with stack(url) as running, running.api.client() as client:
        clients = Clients(client)
        try:
            for fault in faults:
                yield await _outcome(running, clients, fault)
            tracebacks = [line for line in running.api.log.read_text().splitlines() if "Traceback" in line]
            assert not tracebacks, tracebacks[0].replace("\\n", "\n")
        finally:
            await running.api.stop()


async def _outcome(running: Stack, clients: Clients, fault: Fault) -> Outcome:
    clients.seen = Seen()
    recovered = await fault(running, clients)
    if not clients.begun:
        await clients.begin()
    stored = {row["name"] for row in await running.fetch(STORED)}
    return Outcome(fault, clients.seen, recovered, len(clients.acknowledged - stored))
