"""Renewing the authentication of a session by the password, while another request changes the user."""

import asyncio

from sqlalchemy import delete
from sqlmodel import col

from accounts.db.session import transaction
from accounts.domain.people import lock_user
from accounts.models import UserSession
from support.people import PASSWORD, World
from support.second_factors import elevate
from support.waiting import wait_for_lock


async def test_password_that_is_changed_meanwhile_renews_nothing(busy_world: World) -> None:
    arthur = await busy_world.user("arthur")
    headers = await busy_world.sign_in(arthur)
    async with transaction(busy_world.sessionmaker) as db:
        user = await lock_user(db, arthur)
        renewing = asyncio.create_task(elevate(busy_world, headers, current_password=PASSWORD))
        await wait_for_lock(busy_world, "the request waits for the user")
        user.hashed_password = "!"

    assert (await renewing).json()["detail"] == "BAD_CURRENT_PASSWORD"


async def test_session_that_ends_meanwhile_is_not_renewed(busy_world: World) -> None:
    arthur = await busy_world.user("arthur")
    headers = await busy_world.sign_in(arthur)
    async with transaction(busy_world.sessionmaker) as db:
        await lock_user(db, arthur)
        renewing = asyncio.create_task(elevate(busy_world, headers, current_password=PASSWORD))
        await wait_for_lock(busy_world, "the request waits for the user")
        await db.exec(delete(UserSession).where(col(UserSession.user_id) == arthur.id))

    response = await renewing
    assert (response.status_code, response.json()["detail"]) == (404, "SESSION_NOT_FOUND")
