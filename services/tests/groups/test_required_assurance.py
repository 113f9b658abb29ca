"""A group can require a second factor: who may switch it on, and what the members' sessions must prove from then on."""

from typing import Any

import pytest
from httpx2 import Response
from sqlmodel import col, select

from accounts.db.session import RequestContext, transaction
from accounts.domain import errors
from accounts.domain.invitations import member_import
from accounts.domain.invitations.store import InvitationRequest
from accounts.models import AuditEvent, Role, User, UserGroup, Visibility
from support.member_files import import_members
from support.people import PASSWORD, World
from support.schema import recorded_statements
from support.second_factors import add_app, bearer, finish, mfa_token

CHALLENGE = 'Bearer error="insufficient_user_authentication", acr_values="aal2"'


class Table:
    """A private group of Arthur, its owner, and Kay, an admin."""

    def __init__(self, world: World, group: UserGroup, arthur: User, kay: User) -> None:
        self.world, self.group, self.arthur, self.kay = world, group, arthur, kay

    async def ask(self, method: str, path: str, headers: dict[str, str], json: Any = None) -> Response:
        url = f"/user-groups/{self.group.id}{path}"
        return await self.world.client.request(method, url, headers=headers, json=json)

    async def proven(self, user: User) -> dict[str, str]:
        headers = await self.world.sign_in(user)
        await self.world.raise_level(user)
        return headers


@pytest.fixture
async def table(world: World) -> Table:
    arthur, kay = await world.user("arthur", is_verified=True), await world.user("kay", is_verified=True)
    members = {arthur: Role.OWNER, kay: Role.ADMIN}
    return Table(world, await world.group("Round Table", Visibility.PRIVATE, members=members), arthur, kay)


def code(response: Response) -> str:
    return f"{response.status_code} {response.json()['detail']}" if response.is_error else str(response.status_code)


async def test_owner_cannot_lock_themselves_out(table: Table) -> None:
    arthur = await table.world.sign_in(table.arthur)

    refused = await table.ask("PATCH", "", arthur, {"required_aal": 2})
    await table.world.raise_level(table.arthur)
    changed = await table.ask("PATCH", "", arthur, {"required_aal": 2})

    assert (code(refused), refused.headers["WWW-Authenticate"]) == ("403 ASSURANCE_REQUIRED", CHALLENGE)
    assert changed.json()["required_aal"] == 2
    async with transaction(table.world.sessionmaker) as db:
        detail = (await db.exec(select(AuditEvent.detail).where(col(AuditEvent.action) == "group.changed"))).one()
    assert detail == {"changed": ["required_aal"], "required_aal": 2}


async def test_requirement_is_lowered_in_a_session_of_its_level_only(table: Table) -> None:
    await table.world.require_second_factor(table.group)
    weak = await table.world.sign_in(table.arthur)

    refused = await table.ask("PATCH", "", weak, {"required_aal": 1})
    await table.world.raise_level(table.arthur)
    changed = await table.ask("PATCH", "", weak, {"required_aal": 1})

    assert (code(refused), code(changed)) == ("403 ASSURANCE_REQUIRED", "200")


@pytest.mark.parametrize("value", [0, 3, "2", 2.5, True, None])
async def test_only_the_levels_one_and_two_exist(table: Table, value: Any) -> None:
    response = await table.ask("PATCH", "", await table.proven(table.arthur), {"required_aal": value})

    assert code(response) == "422 REQUEST_INVALID"


async def test_session_is_admitted_as_soon_as_it_is_of_the_level(table: Table) -> None:
    await table.world.require_second_factor(table.group)
    kay = await table.world.sign_in(table.kay)

    before = [await table.ask("GET", path, kay) for path in ("", "/users", "/users/export", "/invitations")]
    await table.world.raise_level(table.kay)
    after = [await table.ask("GET", path, kay) for path in ("", "/users", "/users/export", "/invitations")]

    assert [*map(code, before)] == ["200"] + 3 * ["403 ASSURANCE_REQUIRED"]
    assert [*map(code, after)] == 4 * ["200"]
    assert before[0].json()["my_role"] == "admin"
    assert {response.headers["WWW-Authenticate"] for response in before[1:]} == {CHALLENGE}


async def test_cookie_has_the_level_of_its_session_in_the_fast_list(table: Table) -> None:
    await table.world.require_second_factor(table.group)
    form = {"username": table.kay.email, "password": PASSWORD}
    await table.world.client.post("/auth/cookie/login", data=form)

    headers = {"Cookie": f"__Host-accounts={table.world.client.cookies['__Host-accounts']}"}
    before = await table.ask("GET", "/users", headers)
    await table.world.raise_level(table.kay)
    after = await table.ask("GET", "/users", headers)

    assert (code(before), code(after)) == ("403 ASSURANCE_REQUIRED", "200")


async def test_level_costs_the_fast_list_no_statement(table: Table) -> None:
    await table.world.require_second_factor(table.group)
    counts = {}
    for level, headers in (("below", await table.world.sign_in(table.kay)), ("of", await table.proven(table.arthur))):
        async with table.world.owner() as db, recorded_statements(db) as ran:
            await table.ask("GET", "/users", headers)
        counts[level] = len(ran)

    assert counts == {"below": 1, "of": 2}


async def test_import_requires_the_level(table: Table) -> None:
    await table.world.require_second_factor(table.group)

    assert code(await import_members(table.world, table.group, table.kay, "email\r\n")) == "403 ASSURANCE_REQUIRED"


async def test_import_is_refused_if_the_group_requires_the_level_by_the_end_of_it(table: Table) -> None:
    async def require_level(_: int) -> None:
        await table.world.require_second_factor(table.group)

    rows, context = [InvitationRequest("elaine@example.com")], RequestContext(actor_id=table.kay.id)
    with pytest.raises(errors.AssuranceRequired):
        async with transaction(table.world.sessionmaker, context) as db:
            await member_import.import_members(
                db, table.group.id, table.kay, rows, table.world.key, require_level, dry_run=False
            )


async def test_own_lists_of_groups_show_the_group_to_every_session(table: Table) -> None:
    await table.world.require_second_factor(table.group)
    kay = await table.world.sign_in(table.kay)

    for path in ("/user-groups", "/users/me/groups"):
        (shown,) = (await table.world.client.get(path, headers=kay)).json()
        assert (shown["id"], shown["my_role"], shown["required_aal"]) == (table.group.id, "admin", 2)


async def test_user_without_a_second_factor_can_join_and_then_only_see_and_leave(table: Table) -> None:
    bors = await table.world.user("bors", is_verified=True)
    invitation = {"email": bors.email}
    await table.ask("POST", "/invitations", await table.world.sign_in(table.arthur), invitation)
    await table.world.require_second_factor(table.group)
    headers = await table.world.sign_in(bors)
    (invited,) = (await table.world.client.get("/users/me/invitations", headers=headers)).json()

    joined = await table.world.client.post(f"/users/me/invitations/{invited['id']}/accept", headers=headers)
    listed = await table.ask("GET", "/users", headers)
    left = await table.ask("DELETE", f"/users/{bors.id}", headers)

    assert (joined.json()["my_role"], code(listed), code(left)) == ("member", "403 ASSURANCE_REQUIRED", "204")


async def test_owner_below_the_level_can_leave_unless_they_are_the_last(table: Table) -> None:
    await table.world.require_second_factor(table.group)
    arthur = await table.world.sign_in(table.arthur)

    last = await table.ask("DELETE", f"/users/{table.arthur.id}", arthur)
    await table.world.join(table.group.id, second := await table.world.user("guinevere"), Role.OWNER)
    left = await table.ask("DELETE", f"/users/{table.arthur.id}", arthur)

    assert (code(last), code(left)) == ("409 LAST_OWNER", "204")
    assert code(await table.ask("DELETE", f"/users/{second.id}", arthur)) == "404 GROUP_NOT_FOUND"


async def test_superuser_meets_the_requirement_of_the_group_or_only_sees_it(table: Table) -> None:
    await table.world.require_second_factor(table.group)
    morgana = await table.world.user("morgana", superuser=True)
    headers = await table.world.sign_in(morgana)

    before = [await table.ask("GET", path, headers) for path in ("", "/users")]
    await table.world.raise_level(morgana)
    after = [await table.ask("GET", path, headers) for path in ("", "/users")]

    assert [*map(code, before)] == ["200", "403 ASSURANCE_REQUIRED"]
    assert [*map(code, after)] == ["200", "200"]


async def test_owner_requires_a_second_factor_and_admin_adds_an_app_to_be_let_in(table: Table) -> None:
    """An owner adds an authenticator app and requires a second factor; an admin is let in after adding one."""
    arthur, kay = [await table.world.sign_in(user) for user in (table.arthur, table.kay)]
    await add_app(table.world, arthur)
    raised = await table.ask("PATCH", "", arthur, {"required_aal": 2})
    locked_out = await table.ask("GET", "/users", kay)
    phone = await add_app(table.world, kay)
    admitted = await table.ask("GET", "/users", kay)
    waiting = await mfa_token(table.world, "kay")
    signed_in = bearer(await finish(table.world, waiting, code=await phone.code()))

    assert [*map(code, (raised, locked_out, admitted))] == ["200", "403 ASSURANCE_REQUIRED", "200"]
    assert code(await table.ask("GET", "/users", signed_in)) == "200"
    assert {member["second_factor"] for member in admitted.json()} == {True}
