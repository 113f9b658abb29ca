"""Notices of tokens that expire, and the deletion of those that have."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from accounts.db.session import Session, transaction
from accounts.domain.access_keys.expiry import notify_of_expiry
from accounts.domain.mail.queue import LeasedMail, lease_next
from accounts.models import AccessKey, MailKind, User
from accounts.worker.delivery import LEASE
from accounts.worker.message_context import message_context
from support.people import World

AS_SERVICE_ACCOUNT = (
    """UPDATE "user" SET owner_group_id = (SELECT min(id) FROM user_group), hashed_password = '!',"""
    " email = id || '@service.invalid'"
)
# Sets the age of a key, and when it expires.
AGE = "UPDATE access_key SET created_at = now() - interval '{}', expires_at = now() + interval '{}'"


async def leased(db: Session) -> list[LeasedMail]:
    """Lease the waiting notices of tokens that expire."""
    return [mail for mail in await lease_next(db, LEASE, 100) if mail.kind is MailKind.TOKEN_EXPIRES]


async def notify(world: World) -> int:
    async with transaction(world.sessionmaker) as db:
        return await notify_of_expiry(db)


@pytest.mark.parametrize(
    ("age", "left", "mails"),
    [
        ("80 days", "6 days", 1),
        ("80 days", "8 days", 0),
        ("80 days", "-1 second", 0),
        ("1 day", "6 days", 0),
        ("10 days", "1 day", 0),
    ],
)
async def test_a_user_gets_one_notice_a_week_before_a_token_expires(
    world: World, age: str, left: str, mails: int
) -> None:
    arthur = await world.user("arthur")
    await world.access_key(arthur, "profile:read")
    await world.sql(AGE.format(age, left))

    assert [await notify(world), await notify(world)] == [mails, 0]
    assert [mail.email for mail in await world.mails(MailKind.TOKEN_EXPIRES)] == [arthur.email] * mails


async def test_users_who_are_being_deleted_get_none_and_no_deadlock(busy_world: World) -> None:
    arthur = await busy_world.user("arthur")
    await busy_world.access_key(arthur, "profile:read")
    await busy_world.sql(AGE.format("80 days", "6 days"))

    async with transaction(busy_world.sessionmaker) as db:
        locked = await db.get_one(User, arthur.id, with_for_update=True)
        task = asyncio.create_task(notify(busy_world))
        await asyncio.wait([task], timeout=0.3)
        await db.delete(locked)

    assert await task == 0


async def test_concurrent_runs_send_one_notice(busy_world: World) -> None:
    await busy_world.access_key(await busy_world.user("arthur"), "profile:read")
    await busy_world.sql(AGE.format("80 days", "6 days"))

    assert sorted(await asyncio.gather(*[notify(busy_world) for _ in range(4)])) == [0, 0, 0, 1]


async def test_tokens_of_one_user_share_a_notice_that_names_the_first_to_expire(world: World) -> None:
    for name in ("arthur", "lancelot"):
        user = await world.user(name)
        for _ in range(2):
            await world.access_key(user, "profile:read")
    await world.sql(AGE.format("80 days", "6 days"))
    await world.sql(
        "UPDATE access_key SET expires_at = now() + interval '5 days', name = 'first' WHERE id IN"
        " (SELECT DISTINCT ON (user_id) id FROM access_key ORDER BY user_id, id DESC)"
    )

    assert await notify(world) == 2

    async with transaction(world.sessionmaker) as db:
        mails = await leased(db)
        contexts = [await message_context(db, mail, world.state["settings"]) for mail in mails]
    assert len(contexts) == 2
    for context in contexts:
        assert context
        assert (context["key_name"], context["more"]) == ("first", 1)
        assert timedelta(days=4) < context["expires_at"] - datetime.now(UTC) < timedelta(days=6)


@pytest.mark.parametrize("change", ['UPDATE "user" SET is_active = false', AS_SERVICE_ACCOUNT])
async def test_inactive_users_and_service_accounts_get_no_notice(world: World, change: str) -> None:
    await world.group("Round Table")
    await world.access_key(await world.user("arthur"), "profile:read")
    await world.sql(AGE.format("80 days", "6 days"))
    await world.sql(change)

    assert await notify(world) == 0


async def test_a_notice_of_a_revoked_token_is_not_sent(world: World) -> None:
    await world.access_key(await world.user("arthur"), "profile:read")
    await world.sql(AGE.format("80 days", "6 days"))
    await notify(world)
    await world.sql("DELETE FROM access_key")

    async with transaction(world.sessionmaker) as db:
        [mail] = await leased(db)
        assert await message_context(db, mail, world.state["settings"]) is None


async def test_an_expired_token_is_listed(world: World) -> None:
    arthur = await world.user("arthur")
    await world.access_key(arthur, "profile:read")
    await world.sql(AGE.format("80 days", "-1 day"))

    listed = await world.client.get("/users/me/tokens", headers=await world.sign_in(arthur))

    assert len(listed.json()) == 1
    async with transaction(world.sessionmaker) as db:
        assert len((await db.exec(select(AccessKey))).all()) == 1
