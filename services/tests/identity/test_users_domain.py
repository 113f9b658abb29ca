"""Users, where routes cannot look."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from accounts.domain.errors import LastSuperuser, UserNotFound
from accounts.schemas.identity.users import SuperuserUpdate, UserUpdate
from support.people import World


async def test_another_conflict_is_no_taken_address(world: World) -> None:
    await world.sql("ALTER TABLE \"user\" ADD CONSTRAINT other CHECK (display_name <> 'Other')")

    with pytest.raises(IntegrityError):
        await world.user("other")


async def test_a_user_who_is_deleted_meanwhile_is_not_found(world: World) -> None:
    arthur = await world.user("arthur")

    async with world.sessionmaker() as db:
        manager = world.users(db)
        arthur = await manager.get(arthur.id)
        await (await db.connection()).execute(text('DELETE FROM "user"'))
        with pytest.raises(UserNotFound):
            await manager.update(UserUpdate(display_name="Rex"), arthur)


async def test_who_became_the_last_superuser_meanwhile_stays(world: World) -> None:
    arthur = await world.user("arthur")

    async with world.sessionmaker() as db:
        manager = world.users(db)
        arthur = await manager.get(arthur.id)
        await (await db.connection()).execute(text('UPDATE "user" SET is_superuser = true'))
        with pytest.raises(LastSuperuser):
            await manager.update(SuperuserUpdate(is_active=False), arthur)
        with pytest.raises(LastSuperuser):
            await manager.delete(arthur)
