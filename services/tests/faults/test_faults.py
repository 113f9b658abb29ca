"""Faults of the database: clients get timely and truthful responses, and the API recovers without a restart."""

import asyncio

import pytest

from faults.catalogue import FAULTS, LANES, Fault
from faults.run import BOUND, Outcome, outcomes

pytestmark = pytest.mark.slow(seconds=60)


async def lane(faults: tuple[Fault, ...], url: str | None) -> list[Outcome]:
    return [outcome async for outcome in outcomes(faults, url)]


async def test_clients_see_only_503_and_recover_after_every_fault(databases: list[str]) -> None:
    async with asyncio.TaskGroup() as group:
        lanes = [group.create_task(lane(*each)) for each in zip(LANES, [None, *databases], strict=True)]

    found = [outcome for each in lanes for outcome in each.result()]
    assert {outcome.fault for outcome in found} == set(FAULTS)
    patient = 2 * BOUND  # `make faults` is exact; how busy the machine is decides about no test
    assert [broken for outcome in found if (broken := outcome.broken(patient))] == []
