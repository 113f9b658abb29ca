"""Storing many invitations at once."""

from datetime import timedelta

from accounts.db.session import transaction
from accounts.domain.invitations.store import InvitationRequest, store_invitations
from accounts.domain.opaque_tokens import hash_token
from accounts.models import Role
from support.people import World


async def test_rows_with_an_open_invitation_are_skipped(world: World) -> None:
    arthur = await world.user("arthur")
    group = await world.group("Round Table", members={arthur: Role.OWNER})
    rows = [
        InvitationRequest("kay@x.org"),
        InvitationRequest("Kay@x.org"),
        InvitationRequest("Östen@x.org", Role.ADMIN, "Come!", timedelta(3)),
    ]

    async with transaction(world.sessionmaker) as db:
        stored = await store_invitations(db, world.key, group.id, arthur.id, rows)
        none = await store_invitations(db, world.key, group.id, arthur.id, [InvitationRequest("ÖSTEN@x.org")])
        assert await store_invitations(db, world.key, group.id, arthur.id, []) == none == []

    assert [(each.email, each.role, each.note) for each in stored] == [
        ("kay@x.org", Role.MEMBER, ""), ("Östen@x.org", Role.ADMIN, "Come!"),
    ]  # fmt: skip
    assert [each.expires_at - each.created_at for each in stored] == [timedelta(7), timedelta(3)]
    sent = {(email, hash_token(token)) for _, email, token in await world.tokens()}
    assert {(each.email, each.token_hash) for each in stored} == sent
    assert {each.inviter_id for each in stored} == {arthur.id}


async def test_expired_invitations_are_replaced(world: World) -> None:
    arthur = await world.user("arthur")
    group = await world.group("Round Table", members={arthur: Role.OWNER})
    rows = [InvitationRequest("kay@x.org"), InvitationRequest("bors@x.org")]
    async with transaction(world.sessionmaker) as db:
        await store_invitations(db, world.key, group.id, arthur.id, rows)
    await world.sql("UPDATE invitation SET expires_at = now() WHERE email LIKE 'kay%'")

    async with transaction(world.sessionmaker) as db:
        stored = await store_invitations(
            db, world.key, group.id, arthur.id, [InvitationRequest(row.email.upper()) for row in rows]
        )

    assert [each.email for each in stored] == ["KAY@X.ORG"]
