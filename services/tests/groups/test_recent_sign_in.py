"""Deleting a group, and deciding who owns it, takes a recent sign-in of a person, in the API and on the pages."""

from typing import Any

import pytest
from httpx2 import Response

from accounts.models import Role
from support.group_pages import RoundTable, round_table
from support.people import PASSWORD, World
from support.second_factors import age, elevate

ASKED = (403, "REAUTHENTICATION_REQUIRED")
# By the operation that decides, the body; ``{kay}`` is a member's id, ``{lancelot}`` that of the other owner.
DECIDING: dict[str, Any] = {
    "DELETE ": None,
    "POST /transfer": {"user_id": "{kay}"},
    "PUT /users/{kay}": {"role": "owner"},
    "PUT /users/{lancelot}": {"role": "member"},
    "PUT /users/{mordred}": {"role": "owner"},
    "PATCH /users/{kay}": {"role": "owner"},
    "PATCH /users/{lancelot}": {"role": "member"},
    "DELETE /users/{lancelot}": None,
    "POST /invitations": {"email": "galahad@camelot.example.com", "role": "owner"},
}
OTHER: dict[str, Any] = {
    "PATCH ": {"name": "Square Table"},
    "PUT /users/{bors}": {"role": "admin"},
    "PATCH /users/{kay}": {"role": "member"},
    "DELETE /users/{kay}": None,
    "DELETE /users/{arthur}": None,  # who leaves
    "PATCH /users/{arthur}": {"role": "admin"},
    "POST /invitations": {"email": "galahad@camelot.example.com", "role": "admin"},
}


@pytest.fixture
async def table(world: World) -> RoundTable:
    """Arthur and Lancelot are owners."""
    table = await round_table(world)
    table.people["lancelot"] = lancelot = await world.user("lancelot")
    await world.join(table.group.id, lancelot, Role.OWNER)
    await world.sql('UPDATE "user" SET is_verified = true')
    return table


async def call(table: RoundTable, operation: str, body: Any, headers: dict[str, str]) -> Response:
    method, _, path = operation.partition(" ")
    ids = {name: str(user.id) for name, user in table.people.items()}
    path = f"/user-groups/{table.group.id}{path.format_map(ids)}"
    content = body and {name: value.format_map(ids) for name, value in body.items()}
    return await table.world.client.request(method, path, headers=headers, json=content)


@pytest.mark.parametrize(("operation", "body"), DECIDING.items(), ids=map(str, DECIDING))
async def test_operation_that_decides_who_owns_a_group_requires_a_recent_sign_in(
    table: RoundTable, operation: str, body: Any
) -> None:
    headers = await table.world.sign_in(table.people["arthur"])
    await age(table.world)

    asked = await call(table, operation, body, headers)
    roles = [await table.role(name) for name in ("arthur", "kay", "lancelot", "mordred")]
    stranger = await call(table, operation, body, await table.world.sign_in(table.people["bors"]))
    await elevate(table.world, headers, current_password=PASSWORD)
    allowed = await call(table, operation, body, headers)

    assert (asked.status_code, asked.json()["detail"]) == ASKED
    assert asked.headers["WWW-Authenticate"].startswith("Bearer ")
    assert roles == [Role.OWNER, Role.ADMIN, Role.OWNER, None]
    assert (stranger.status_code, stranger.json()["detail"]) == (403, "GROUP_FORBIDDEN")
    assert allowed.is_success, allowed.text


@pytest.mark.parametrize(("operation", "body"), OTHER.items(), ids=map(str, OTHER))
async def test_other_operations_on_groups_require_none(table: RoundTable, operation: str, body: Any) -> None:
    headers = await table.world.sign_in(table.people["arthur"])
    await age(table.world)

    assert (await call(table, operation, body, headers)).is_success


@pytest.mark.parametrize("operation", ["DELETE ", "POST /transfer", "PATCH /users/{kay}"])
async def test_program_needs_its_scope_only(table: RoundTable, operation: str) -> None:
    key = await table.world.access_key(table.people["arthur"], "groups:write", "members:write")

    assert (await call(table, operation, DECIDING[operation], key)).is_success


@pytest.mark.parametrize("page", ["delete", "transfer"])
async def test_page_asks_for_it_before_its_form_is_filled_in(table: RoundTable, page: str) -> None:
    path = f"/{page}"
    shown = await table.get(path)
    await age(table.world)
    answers = [await table.get(path), await table.post(path, member=table.people["kay"].id)]

    assert shown.status_code == 200
    for answer in answers:
        assert answer.headers["location"] == f"/account/confirm?next=%2Fgroups%2F{table.group.id}%2F{page}"
    assert (await table.role("arthur"), await table.role("kay")) == (Role.OWNER, Role.ADMIN)


async def test_page_of_a_member_asks_for_it_and_is_shown_again(table: RoundTable) -> None:
    member, other = table.member("kay"), table.member("lancelot")
    await table.cookie("arthur")
    await age(table.world)

    promoted, removed = await table.post(member, role="owner"), await table.post(f"{other}/remove")
    demoted = await table.post(member, role="member")

    for answer, path in ((promoted, member), (removed, other)):
        next_page = f"/groups/{table.group.id}{path}".replace("/", "%2F")
        assert answer.headers["location"] == f"/account/confirm?next={next_page}"
        assert (await table.get(path)).status_code == 200
    assert demoted.headers["location"] == f"/account/groups/{table.group.id}"
    assert (await table.role("lancelot"), await table.role("kay")) == (Role.OWNER, Role.MEMBER)
