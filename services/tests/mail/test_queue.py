"""The order in which mail is sent: mail about the own account first, and among the rest senders take turns."""

from datetime import timedelta

import pytest

from accounts.db.session import RequestContext, transaction
from accounts.domain.identity.first_passwords import enqueue_first_passwords
from accounts.domain.mail import queue
from accounts.domain.mail.outbox import OutgoingMail, enqueue
from accounts.models import MailKind, OutboxMail, User
from accounts.models.mail import CAUSED_BY_OTHERS, URGENT
from accounts.settings_types import SignUp
from support.people import World
from support.schema import recorded_statements

LEASE = timedelta(minutes=1)


async def post(world: World, sender: User | None, *names: str, kind: MailKind = MailKind.INVITATION) -> None:
    context = RequestContext(actor_id=sender.id if sender else None)
    async with transaction(world.sessionmaker, context) as db:
        await enqueue(db, kind, [OutgoingMail(f"{name}@x.org") for name in names])


async def send(world: World, number: int) -> str:
    """Send some mails, and return their recipients, who have names of one letter."""
    names = ""
    for _ in range(number):
        async with transaction(world.sessionmaker) as db:
            [mail] = await queue.lease_next(db, LEASE, 1)
            await queue.delete_mail(db, mail)
            names += mail.email[0]
    return names


@pytest.fixture
async def senders(world: World) -> list[User]:
    return [await world.user(name) for name in ("arthur", "guinevere", "merlin")]


async def test_senders_take_turns(world: World, senders: list[User]) -> None:
    arthur, guinevere, merlin = senders
    await post(world, arthur, *"aaa")
    await post(world, arthur, *"aaa")
    await post(world, guinevere, *"gg")
    assert await send(world, 4) == "agag"
    await post(world, merlin, *"mm")

    assert await send(world, 6) == "amamaa"


async def test_sender_who_waited_does_not_catch_up(world: World, senders: list[User]) -> None:
    """Turns begin with that of the next mail, not with that of the first one."""
    arthur, guinevere, _ = senders
    await post(world, arthur, *"aaaaaa")
    await send(world, 4)
    await post(world, guinevere, *"ggg")

    assert await send(world, 5) == "agagg"


async def test_mail_that_waits_for_another_attempt_does_not_hold_the_turns_back(
    world: World, senders: list[User]
) -> None:
    arthur, guinevere, _ = senders
    await post(world, arthur, *"baaaaa")
    async with transaction(world.sessionmaker) as db:
        assert await queue.lease_next(db, LEASE, 1)
    await send(world, 3)
    await post(world, guinevere, *"ggg")

    assert await send(world, 5) == "agagg"


@pytest.mark.parametrize("kind", sorted(set(MailKind) - CAUSED_BY_OTHERS))
async def test_mail_about_the_own_account_comes_first(world: World, senders: list[User], kind: MailKind) -> None:
    await post(world, senders[0], *"aaa")
    await post(world, senders[0], "x", kind=kind)
    await post(world, None, "y", kind=kind)

    assert await send(world, 3) == "xya"


@pytest.mark.parametrize("kind", sorted(URGENT))
async def test_mail_with_a_token_comes_before_notices(world: World, kind: MailKind) -> None:
    for notice in sorted(set(MailKind) - CAUSED_BY_OTHERS - URGENT):
        await post(world, None, "n", kind=notice)
    await post(world, None, "x", kind=kind)

    assert await send(world, 2) == "xn"


async def test_mail_with_a_token_comes_before_notices_whatever_enqueues_it(world: World, senders: list[User]) -> None:
    """Some mails are enqueued by the statement that issues their token."""
    await post(world, None, "n", kind=MailKind.NEW_SIGN_IN)
    await world.client.post("/auth/forgot-password", json={"email": senders[0].email})
    await world.client.post("/auth/request-verify-token", json={"email": senders[1].email})
    world.change_settings(sign_up=SignUp.VERIFIED)
    await world.client.post("/auth/register", json={"email": "enid@x.org"})
    await world.client.post("/auth/register", json={"email": senders[2].email})  # a notice

    assert await send(world, 5) == "agenm"


async def test_mail_to_the_users_of_an_import_is_sent_last(world: World, senders: list[User]) -> None:
    """It delays no mail that is enqueued later, and no sender's first mail."""
    arthur, guinevere, _ = senders
    async with transaction(world.sessionmaker) as db:
        await enqueue_first_passwords(
            db, world.key, [str(each.id) for each in senders], [*map("{}@x.org".format, "zzz")]
        )
    await world.sql("UPDATE outbox SET created_at = now() - interval '1 day'")
    async with transaction(world.sessionmaker) as db:
        assert await queue.backlog(db) == queue.Backlog(waiting=3, oldest_seconds=0, parked=0)
    assert await send(world, 1) == "z"

    await post(world, arthur, *"aa")
    await post(world, guinevere, *"g")
    await post(world, None, "n", kind=MailKind.NEW_SIGN_IN)

    assert await send(world, 6) == "nagazz"


async def test_mail_without_a_sender_has_turns_too(world: World) -> None:
    await post(world, None, *"ab", kind=MailKind.ROLE_CHANGED)

    assert await send(world, 2) == "ab"


async def test_mail_that_another_worker_has_leased_since_is_not_put_back(world: World) -> None:
    await post(world, None, *"ab", kind=MailKind.NEW_SIGN_IN)
    async with transaction(world.sessionmaker) as db:
        slow = await queue.lease_next(db, LEASE, 2)
        await world.sql("UPDATE outbox SET next_at = now() WHERE email LIKE 'a%'")
        [again] = await queue.lease_next(db, LEASE, 2)

        await queue.put_back(db, slow)

        assert [mail.email for mail in await queue.lease_next(db, LEASE, 2)] == ["b@x.org"]
        assert (await db.get_one(OutboxMail, again.id)).attempts == again.attempts == 2


async def test_next_mail_and_next_turn_are_read_from_an_index(busy_world: World) -> None:
    """Among fifty thousand of one sender."""
    arthur, guinevere = await busy_world.user("arthur"), await busy_world.user("guinevere")
    await busy_world.sql(f"""
        INSERT INTO outbox (id, kind, email, sender_id, turn)
        SELECT uuidv7(), 'invitation', i || '@x.org', '{arthur.id}', i FROM generate_series(1, 50000) i
    """)  # noqa: S608  # ours
    await busy_world.sql("ANALYZE outbox")
    async with transaction(busy_world.sessionmaker, RequestContext(actor_id=guinevere.id)) as db:
        async with recorded_statements(db) as run:
            await enqueue(db, MailKind.INVITATION, [OutgoingMail("g@x.org")])
            await queue.lease_next(db, LEASE, 8)
        connection = await db.connection()
        plans = [
            str((await connection.exec_driver_sql(f"EXPLAIN {statement}", values)).all())
            for statement, values in run
            if "outbox" in statement
        ]

    assert len(plans) == 2
    for plan in plans:
        assert "ix_outbox_turn" in plan
        assert "Seq Scan on outbox" not in plan, plan
    assert "ix_outbox_sender_id_turn" in plans[0]
