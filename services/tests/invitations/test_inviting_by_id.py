"""Inviting a user by id: nothing shows the user's email address before the user has agreed."""

import asyncio
from typing import Any

import pytest
from httpx2 import Response

from accounts.domain.invitations.sending import InvitationManager
from accounts.models import MailKind, Role, User
from support.invitations import OWN, Table, accept, me, own, status_and_code, table_of
from support.member_files import CSV
from support.people import World

GAWAIN = "gawain@camelot.example.com"


@pytest.fixture
async def gawain(world: World, table: Table) -> User:
    """Gawain shares another group with the admin of the table."""
    gawain = await world.user("gawain", is_verified=True)
    hunt = await world.group("Hunt", members={gawain: Role.MEMBER})
    guinevere = await me(world, table.admin)
    await world.sql(f"INSERT INTO membership (group_id, user_id) VALUES ({hunt.id}, '{guinevere['id']}')")  # noqa: S608
    return gawain


async def put(table: Table, user: User, role: Role = Role.MEMBER, headers: dict[str, str] | None = None) -> Response:
    path = f"/user-groups/{table.group.id}/users/{user.id}"
    return await table.world.client.put(path, json={"role": role}, headers=headers or table.admin)


async def test_user_becomes_a_member_by_accepting(world: World, table: Table, gawain: User) -> None:
    invitation = (await put(table, gawain, Role.ADMIN)).json()
    assert "gawain" not in await table.roles()
    headers = await world.sign_in(gawain)
    [shown] = await own(world, headers)

    answer = await world.client.post(f"{OWN}/{shown['id']}/accept", headers=headers)

    assert (answer.status_code, shown["id"], shown["role"]) == (200, invitation["id"], "admin")
    assert (await table.roles())["gawain"] == "admin"


async def test_inviter_sees_the_email_nowhere_before_the_user_accepts(world: World, table: Table, gawain: User) -> None:
    answer = await put(table, gawain)
    invitation = answer.json()
    paths = [table.path, f"/user-groups/{table.group.id}/users", f"/user-groups/{table.group.id}/users/export"]
    paths += [f"/user-groups/{table.group.id}", "/users/me/export", "/users/me/activity", "/users/me/groups"]
    answers = [await world.client.get(path, headers=table.admin) for path in paths]
    answers += [
        answer,
        await world.client.post(f"{table.path}/{invitation['id']}/resend", headers=table.admin),
        await put(table, gawain),
    ]

    assert (answer.status_code, invitation["email"], invitation["user_id"]) == (202, None, str(gawain.id))
    assert [mail.email for mail in await world.mails()][-2:] == [GAWAIN] * 2
    assert not [each.request.url for each in answers if "gawain" in each.text.lower()]
    assert status_and_code(answers[-1]) == (409, "INVITATION_EXISTS")


async def test_inviter_cannot_guess_the_email(world: World, table: Table, gawain: User) -> None:
    """Inviting the right address has the same outcome as inviting a wrong one."""
    await put(table, gawain)

    async def outcomes(email: str) -> list[Any]:
        path = f"/user-groups/{table.group.id}/users/import"
        dry = await world.client.post(
            path, content=f"email\n{email}\n", params={"dry_run": "1"}, headers=table.admin | CSV
        )
        return [dry.json(), *[(await table.invite(email)).status_code for _ in range(3)]]

    assert await outcomes(GAWAIN) == await outcomes("other@camelot.example.com")
    listed = (await world.client.get(table.path, headers=table.admin)).json()
    assert [(each["email"], each["user_id"]) for each in listed] == [
        (None, str(gawain.id)), (GAWAIN, None), ("other@camelot.example.com", None),
    ]  # fmt: skip


async def test_inviter_cannot_tell_an_inactive_user(world: World, table: Table, gawain: User) -> None:
    await world.sql("UPDATE \"user\" SET is_active = false WHERE email LIKE 'gawain%'")

    assert (await put(table, gawain)).status_code == 202


async def test_token_is_for_the_user_and_verifies_no_email(world: World, table: Table, gawain: User) -> None:
    """The user may have changed the address, and another user may have it now."""
    await put(table, gawain)
    token = await world.token()
    await world.sql("UPDATE \"user\" SET email = 'new@x.org', is_verified = false WHERE email LIKE 'gawain%'")
    other = await world.sign_in(await world.user("gawain", is_verified=True))
    headers = await world.sign_in("new@x.org")
    registration = {"email": "third@x.org", "password": "a-sword-in-a-stone", "invitation": token}

    assert await own(world, other) == []
    assert status_and_code(await accept(world, token, other)) == (403, "INVITATION_OTHER_ADDRESS")
    refused = await world.client.post("/auth/register", json=registration)
    assert status_and_code(refused) == (403, "INVITATION_OTHER_ADDRESS")
    assert (await accept(world, token, headers)).status_code == 200
    assert (await me(world, headers))["is_verified"] is False
    assert "new" in await table.roles()


async def test_resending_uses_the_current_email(world: World, table: Table, gawain: User) -> None:
    invitation = (await put(table, gawain)).json()
    await world.sql("UPDATE \"user\" SET email = 'new@x.org' WHERE email LIKE 'gawain%'")

    answer = await world.client.post(f"{table.path}/{invitation['id']}/resend", headers=table.admin)

    assert (answer.status_code, answer.json()["email"]) == (200, None)
    assert (await world.mails())[-1].email == "new@x.org"


async def test_invitation_ends_with_the_user_and_can_be_revoked_and_replaced(
    world: World, table: Table, gawain: User
) -> None:
    first = (await put(table, gawain)).json()
    assert (await world.client.delete(f"{table.path}/{first['id']}", headers=table.admin)).status_code == 204
    assert (await put(table, gawain)).status_code == 202
    await table.expire()
    assert (await put(table, gawain)).status_code == 202

    await world.sql("DELETE FROM \"user\" WHERE email LIKE 'gawain%'")

    assert (await world.client.get(table.path, headers=table.admin)).json() == []
    assert status_and_code(await put(table, gawain)) == (404, "USER_NOT_FOUND")


async def test_export_of_the_invited_user_has_the_invitation(world: World, table: Table, gawain: User) -> None:
    invitation = (await put(table, gawain)).json()

    export = (await world.client.get("/users/me/export", headers=await world.sign_in(gawain))).json()

    [shown] = export["invitations_for_me"]
    assert (shown["id"], shown["email"]) == (invitation["id"], None)


async def test_concurrent_invitations_of_a_user_create_one(busy_world: World) -> None:
    table = await table_of(busy_world)
    lancelot = await busy_world.user("lancelot")

    answers = await asyncio.gather(*(put(table, lancelot, headers=each) for each in (table.admin, table.owner)))

    assert sorted(each.status_code for each in answers) == [202, 409]
    assert len(await busy_world.mails(MailKind.INVITATION)) == 1


async def test_user_who_joins_while_being_invited_is_a_member(
    world: World, table: Table, gawain: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user accepts another invitation between the two transactions of the request."""
    create = InvitationManager.create_for_user

    async def late(self: InvitationManager, *args: Any) -> Any:
        await world.join(table.group.id, gawain, Role.MEMBER)
        return await create(self, *args)

    monkeypatch.setattr(InvitationManager, "create_for_user", late)

    assert status_and_code(await put(table, gawain)) == (409, "ALREADY_MEMBER")


async def test_user_who_is_deleted_while_an_invitation_is_resent(world: World, table: Table, gawain: User) -> None:
    """The lock on the invitation keeps the row, but the user may be gone for the next statement."""
    invitation = (await put(table, gawain)).json()
    await world.sql("ALTER TABLE invitation DROP CONSTRAINT fk_invitation_user_id_user")
    await world.sql("DELETE FROM \"user\" WHERE email LIKE 'gawain%'")

    answer = await world.client.post(f"{table.path}/{invitation['id']}/resend", headers=table.admin)

    assert status_and_code(answer) == (404, "INVITATION_NOT_FOUND")
