"""The database has a bad day: nobody waits for long, nobody is lied to, and nobody has to restart anything."""

import asyncio

from faults.catalogue import FAULTS, LANES, Fault
from faults.run import Outcome, outcomes


async def lane(faults: tuple[Fault, ...], url: str | None) -> list[Outcome]:
    return [outcome async for outcome in outcomes(faults, url)]


async def test_every_fault_is_borne(databases: list[str]) -> None:
    lanes = await asyncio.gather(*map(lane, LANES, [None, *databases]))

    found = [outcome for outcomes in lanes for outcome in outcomes]
    assert {outcome.fault for outcome in found} == set(FAULTS)
    assert [outcome.broken for outcome in found if outcome.broken] == []
