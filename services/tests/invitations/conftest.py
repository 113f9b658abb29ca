"""A group that sends invitations, and a user who may answer one."""

import pytest

from support.invitations import Table, table_of
from support.people import World


@pytest.fixture
async def table(world: World) -> Table:
    return await table_of(world)


@pytest.fixture
async def galahad(world: World) -> dict[str, str]:
    """Headers of Galahad, who is verified and in no group."""
    return await world.sign_in(await world.user("galahad", is_verified=True))
