"""Lets faults happen, and says what came of them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from faults.catalogue import Fault
from faults.clients import GOOD, UNAVAILABLE, Clients, Seen
from faults.stack import Stack, stack

STORED = "SELECT name FROM user_group"
BOUND = 10.0  # seconds
EXPECTED = {*GOOD, UNAVAILABLE}
HEAD = "| What happens | What clients saw | Longest answer | Recovered after | Lost |\n| --- | --- | --- | --- | --- |"


@dataclass(frozen=True)
class Outcome:
    """What came of a fault: what was seen, the seconds until all was well again, and how many writes were lost."""

    fault: Fault
    seen: Seen
    recovered: float
    lost: int

    @property
    def row(self) -> str:
        """A row of the table, in Markdown."""
        what = (self.fault.__doc__ or "").strip().rstrip(".")
        answers = ", ".join(f"{number} of {kind}" for kind, number in sorted(self.seen.answers.items()))
        return f"| {what} | {answers} | {self.seen.longest:.1f} s | {self.recovered:.1f} s | {self.lost or 'nothing'} |"

    def broken(self, bound: float = BOUND) -> str | None:
        """Which promise was broken, if any; ``bound`` is what an answer and the recovery may take."""
        unexpected = self.seen.answers.keys() - EXPECTED - self.seen.expected
        if unexpected or self.seen.longest > bound or self.recovered > bound or self.lost:
            return f"{self.row} {self.seen.other}"
        return None


async def outcomes(faults: Sequence[Fault], url: str | None = None) -> AsyncIterator[Outcome]:
    """Let faults happen to a service of their own (see ``stack``), one after the other; the first one starts it."""
    async with stack(url) as made, made.api.client() as client:
        clients = Clients(client)
        try:
            for fault in faults:
                yield await _outcome(made, clients, fault)
            tracebacks = [line for line in made.api.log.read_text().splitlines() if "Traceback" in line]
            assert not tracebacks, tracebacks[0].replace("\\n", "\n")
        finally:
            await made.api.stop()


async def _outcome(made: Stack, clients: Clients, fault: Fault) -> Outcome:
    clients.seen = Seen()
    recovered = await fault(made, clients)
    if not clients.begun:
        await clients.begin()
    stored = {row["name"] for row in await made.fetch(STORED)}
    return Outcome(fault, clients.seen, recovered, len(clients.acknowledged - stored))
