"""Groups, where no route leads yet."""

import pytest
from sqlalchemy.exc import IntegrityError

from accounts.database import transaction
from accounts.domain.errors import GroupNameTaken
from accounts.domain.groups import GroupManager
from accounts.schemas.group import GroupCreate
from people import World


async def test_a_name_is_taken_in_any_letter_case(world: World) -> None:
    await world.group("Round Table")

    with pytest.raises(GroupNameTaken):
        await world.group("ROUND table")


async def test_another_conflict_is_not_called_by_that_name(world: World) -> None:
    await world.sql("ALTER TABLE user_group ADD CONSTRAINT other CHECK (name <> 'other')")

    with pytest.raises(IntegrityError):
        async with transaction(world.sessionmaker) as session:
            await GroupManager(session).create(GroupCreate(name="other"))
