"""Hostile clients: whatever they send, no worker is lost, and no request is answered with 500."""

import pytest

from faults.hostile import EVERYTHING, phases

pytestmark = pytest.mark.slow(seconds=30)
SECONDS = 6.0  # `make hostile` takes longer, and measures


async def test_no_attack_loses_a_worker_or_causes_a_500(databases: list[str]) -> None:
    (attacked,) = [phase async for phase in phases(SECONDS, databases[0], EVERYTHING)]

    assert attacked.statuses.total() > 0
    assert attacked.broken() == []
