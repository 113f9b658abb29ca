"""Many invitations at once."""

from datetime import timedelta

from accounts.db.session import transaction
from accounts.domain.identity import one_time_tokens
from accounts.domain.invitations.store import Wanted, store
from accounts.models import Role
from support.people import World


async def test_are_stored_but_for_those_that_are_open(world: World) -> None:
    arthur = await world.user("arthur")
    group = await world.group("Round Table", members={arthur: Role.OWNER})
    rows = [Wanted("kay@x.org"), Wanted("Kay@x.org"), Wanted("Östen@x.org", Role.ADMIN, "Come!", timedelta(3))]

    async with transaction(world.sessionmaker) as session:
        stored = await store(session, world.key, group.id, arthur.id, rows)
        none = await store(session, world.key, group.id, arthur.id, [Wanted("ÖSTEN@x.org")])
        assert await store(session, world.key, group.id, arthur.id, []) == none == []

    assert [(each.email, each.role, each.note) for each in stored] == [
        ("kay@x.org", Role.MEMBER, ""), ("Östen@x.org", Role.ADMIN, "Come!"),
    ]  # fmt: skip
    assert [each.expires_at - each.created_at for each in stored] == [timedelta(7), timedelta(3)]
    sent = {(email, one_time_tokens.digest(token)) for _, email, token in await world.tokens()}
    assert {(each.email, each.token_hash) for each in stored} == sent
    assert {each.inviter_id for each in stored} == {arthur.id}


async def test_take_the_place_of_those_that_have_expired(world: World) -> None:
    arthur = await world.user("arthur")
    group = await world.group("Round Table", members={arthur: Role.OWNER})
    rows = [Wanted("kay@x.org"), Wanted("bors@x.org")]
    async with transaction(world.sessionmaker) as session:
        await store(session, world.key, group.id, arthur.id, rows)
    await world.sql("UPDATE invitation SET expires_at = now() WHERE email LIKE 'kay%'")

    async with transaction(world.sessionmaker) as session:
        stored = await store(session, world.key, group.id, arthur.id, [Wanted(row.email.upper()) for row in rows])

    assert [each.email for each in stored] == ["KAY@X.ORG"]
