"""Groups for the tests of exports and imports of members."""

import pytest

from accounts.models import Role, User, UserGroup, Visibility
from support.people import World


@pytest.fixture
async def arthur(world: World) -> User:
    return await world.user("arthur", is_verified=True)


@pytest.fixture
async def morgana(world: World) -> User:
    return await world.user("morgana", superuser=True)


@pytest.fixture
async def knights(world: World, arthur: User) -> UserGroup:
    """A private group of Arthur and two other users."""
    others = {await world.user(name): Role.MEMBER for name in ("bors", "galahad")}
    return await world.group("Knights", Visibility.PRIVATE, members={arthur: Role.OWNER, **others})


@pytest.fixture
async def table(world: World, arthur: User) -> UserGroup:
    """A group of Arthur alone."""
    return await world.group("Round Table", Visibility.PRIVATE, members={arthur: Role.ADMIN})
