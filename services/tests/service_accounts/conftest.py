"""A group with a service account."""

import pytest

from support.people import World
from support.service_accounts import Squire, squire_of


@pytest.fixture
async def squire(world: World) -> Squire:
    return await squire_of(world)


@pytest.fixture
async def busy_squire(busy_world: World) -> Squire:
    return await squire_of(busy_world)
