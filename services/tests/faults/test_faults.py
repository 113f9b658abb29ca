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
        lanes = [group.create_task(lane(faults, url)) for faults, url in zip(LANES, [None, *databases], strict=True)]

    results = [outcome for finished in lanes for outcome in finished.result()]
    assert {outcome.fault for outcome in results} == set(FAULTS)
    generous = 2 * BOUND  # for busy machines; `make faults` uses the exact bound
    assert [broken for outcome in results if (broken := outcome.broken(generous))] == []
