"""One-time tokens under concurrency and crashes."""

import asyncio

import pytest
from sqlalchemy import text

from accounts.db.session import transaction
from accounts.domain.identity.one_time_tokens import request_token
from accounts.models import Purpose, User
from support.people import World


@pytest.mark.parametrize("email", ["arthur@camelot.example.com", "nobody@camelot.example.com"])
async def test_commit_of_a_requested_token_does_not_wait_for_the_disk(world: World, email: str) -> None:
    await world.user("arthur")

    async with transaction(world.sessionmaker) as db:
        await (await db.connection()).execute(text("SET LOCAL synchronous_commit = on"))
        await request_token(db, world.key, email, Purpose.RESET)
        setting = await (await db.connection()).scalar(text("SHOW synchronous_commit"))

    assert setting == "off"


async def test_user_who_is_deleted_concurrently_gets_no_token(busy_world: World) -> None:
    arthur = await busy_world.user("arthur")

    async with transaction(busy_world.sessionmaker) as db:
        await db.delete(await db.get_one(User, arthur.id))
        await db.flush()
        request = asyncio.create_task(busy_world.client.post("/auth/forgot-password", json={"email": arthur.email}))
        await asyncio.sleep(0.3)
        assert not request.done()

    assert (await request).status_code == 202
    assert (await busy_world.tokens()) == []
