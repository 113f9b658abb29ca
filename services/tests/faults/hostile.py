"""``make hostile``: attacks the API beside honest users, and checks that these are still served.

Each attack runs by itself, then all of them at once, with the rate limits of production. It fails if the honest users'
95th percentile is more than three times that without an attack, if a worker is lost, if anyone gets a 500, or if a
sign-in takes long ten seconds after an attack.
"""

import asyncio
import json
import math
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from arguments import minutes
from faults.attacks import ATTACKS, Target
from faults.honest import PEOPLE, Person, Waits, living, record
from faults.stack import Api, Stack, stack
from support.processes import children

SLOWER = 3
USUAL = 1.0  # seconds within which a sign-in succeeds on a service that has recovered
RECOVERY = 10.0  # seconds
EVERYTHING = {"all at once": list(ATTACKS)}
PHASES = {"none": [], **{name: [name] for name in ATTACKS}, **EVERYTHING, "none again": []}
MEMBERS = 'INSERT INTO membership (group_id, user_id) SELECT {}, id FROM "user" ON CONFLICT DO NOTHING'
VERIFIED = 'UPDATE "user" SET is_verified = true'
KINDS = ("sign_in", "read_me", "list_members", "refresh")
HEAD = (
    "| Attack | p95: all | sign-in | me | members | refresh | Requests | Refused | Recovered after | Attackers got |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)
# Workers would be replaced after 100,000 requests.
SETTINGS = {"THROTTLE_SCALE": "1", "TRUSTED_PROXIES": "127.0.0.1", "GUNICORN_CMD_ARGS": "--max-requests 0"}


@dataclass(frozen=True)
class Phase:
    """What happened during an attack."""

    name: str
    waits: Waits
    statuses: Counter[str]
    recovered: float
    lost: int

    @property
    def row(self) -> str:
        """A row of the table, in Markdown."""
        cells = (
            self.name,
            *(milliseconds(self.waits.p95(*kinds)) for kinds in ((), *((kind,) for kind in KINDS))),
            sum(map(len, self.waits.seconds.values())),
            counted(Counter(self.waits.refused)),
            f"{self.recovered:.1f} s",
            counted(self.statuses),
        )
        return f"| {' | '.join(map(str, cells))} |"

    def broken(self) -> list[str]:
        """Return what must not happen on any machine."""
        refused = Counter(self.waits.refused)
        return [
            *["a worker was lost"] * bool(self.lost),
            *["a request was answered with 500"] * ("500" in self.statuses or any(" 500" in each for each in refused)),
        ]

    def slow(self, idle: float) -> list[str]:
        """Return how people waited too long; ``idle`` is their 95th percentile without an attack, in seconds."""
        p95 = self.waits.p95()
        return [
            *[f"p95 is {milliseconds(p95)}, and {milliseconds(idle)} when idle"] * (p95 > SLOWER * idle),
            *["sign-ins still took long ten seconds later"] * (self.recovered > RECOVERY),
        ]


def milliseconds(seconds: float) -> str:
    """Write a duration; an infinite one is a refusal."""
    return "refused" if math.isinf(seconds) else f"{1000 * seconds:.0f} ms"


def counted(what: Counter[str]) -> str:
    """Write what was counted."""
    return ", ".join(f"{number} of {each}" for each, number in sorted(what.items())) or "-"


async def phase(api: Api, people: list[Person], target: Target, seconds: float, name: str, *attacks: str) -> Phase:
    """Let people live for some seconds during attacks, and wait until the service has recovered."""
    workers = children(api.process.pid)
    async with living(people) as waits:
        statuses = await attack(target, seconds, attacks) if attacks else await asyncio.sleep(seconds, Counter[str]())
    recovered = await recovery(people[0])
    return Phase(name, waits, statuses, recovered, len(workers - children(api.process.pid)))


async def recovery(person: Person) -> float:
    """Wait until a sign-in succeeds as fast as usual, and return after how many seconds."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while loop.time() < begun + RECOVERY:
        waits = Waits()
        await record(waits, person.sign_in)
        if waits.p95() < USUAL:
            break
        await asyncio.sleep(USUAL)
    return loop.time() - begun


async def attack(target: Target, seconds: float, attacks: Sequence[str]) -> Counter[str]:
    """Run attacks in a process of their own, and count the statuses that they got."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "faults.attacks", str(seconds), *attacks),
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate(json.dumps(asdict(target)).encode())
    assert process.returncode == 0
    return sum((Counter(statuses) for statuses in json.loads(output).values()), Counter[str]())


async def prepare(running: Stack, api: Api, people: list[Person], attacker: Person) -> Target:
    """Sign everybody up, and give the honest users a group of their own and the attacker another one."""
    for person in (*people, attacker):
        await person.begin()
    group = await people[0].create_group()
    await running.fetch(MEMBERS.format(group))
    await running.fetch(VERIFIED)
    for person in people:
        person.group = group
    victim = people[0]
    return Target(api.port, attacker.access_token, await attacker.create_group(), victim.email, str(victim.session_id))


async def phases(
    seconds: float, url: str | None = None, chosen: Mapping[str, Sequence[str]] = PHASES
) -> AsyncIterator[Phase]:
    """Run phases of some seconds each. By default, each attack has one, and the first and the last have none."""
    async with stack(url) as running:
        api = running.another_api(**SETTINGS)
        await api.start()
        try:
            await api.wait_for("/health/ready")
            async with api.client() as client:
                people = [Person(client, number) for number in range(1, PEOPLE + 1)]
                target = await prepare(running, api, people, Person(client, PEOPLE + 1))
                for name, attacks in chosen.items():
                    yield await phase(api, people, target, seconds, name, *attacks)
        finally:
            await api.stop()
        tracebacks = [line for line in api.log.read_text().splitlines() if "Traceback" in line]
        assert not tracebacks, tracebacks[0].replace("\\n", "\n")


async def table(minutes: float) -> list[str]:
    """Print a table of all attacks, and return the problems."""
    print(HEAD)
    done = []
    async for each in phases(minutes * 60 / len(PHASES)):
        print(each.row, flush=True)
        done.append(each)
    # Another process may have slowed down the first phase or the last.
    idle = max(done[0].waits.p95(), done[-1].waits.p95())
    problems = [f"{each.name}: {problem}" for each in done for problem in (*each.broken(), *each.slow(idle))]
    return problems + ["requests are refused without an attack: the machine is too busy"] * math.isinf(idle)


if __name__ == "__main__":
    problems = asyncio.run(table(minutes(sys.argv[1:])))
    sys.exit("\n".join(f"hostile: {problem}" for problem in problems) or None)
