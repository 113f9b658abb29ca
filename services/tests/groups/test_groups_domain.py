"""Groups, where no route leads."""

import pytest
from sqlalchemy.exc import IntegrityError

from accounts.db.session import transaction
from accounts.domain.groups.groups import GroupManager
from accounts.schemas.groups import GroupCreate
from support.people import World


async def test_another_conflict_is_not_called_by_the_name_of_a_taken_one(world: World) -> None:
    await world.sql("ALTER TABLE user_group ADD CONSTRAINT other CHECK (name <> 'other')")
    arthur = await world.user("arthur")

    with pytest.raises(IntegrityError):
        async with transaction(world.sessionmaker) as db:
            await GroupManager(db).create(GroupCreate(name="other"), arthur)
