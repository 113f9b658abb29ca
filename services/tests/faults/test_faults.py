"""The database has a bad day: nobody waits for long, nobody is lied to, and nobody has to restart anything."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import pytest

from accounts.migrations.roles import ROLE
from conftest import copy_of_template, execute
from faults.catalogue import FAULTS, LANES, Fault
from faults.run import Outcome, outcomes
from people import OWNER


async def lane(faults: tuple[Fault, ...], url: str | None) -> list[Outcome]:
    return [outcome async for outcome in outcomes(faults, url)]


@pytest.fixture
def databases() -> Iterator[list[str]]:
    names = [f"faults_{uuid4().hex}" for _ in LANES[1:]]
    yield [copy_of_template(name).replace(ROLE, OWNER) for name in names]
    for name in names:
        execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_every_fault_is_borne(databases: list[str]) -> None:
    lanes = await asyncio.gather(*map(lane, LANES, [None, *databases]))

    found = [outcome for outcomes in lanes for outcome in outcomes]
    assert {outcome.fault for outcome in found} == set(FAULTS)
    assert [outcome.broken for outcome in found if outcome.broken] == []
