"""The table of permissions as HTTP responses. It is written by hand, independently of the domain's table."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx2 import Response
from uuid_utils.compat import uuid7

from accounts.db.session import transaction
from accounts.domain.groups.permissions import Permission
from accounts.models import AccessKey, Role, User, UserGroup, Visibility
from support.people import World

CALLERS = ("anonymous", "outsider", "member", "admin", "owner", "superuser")
CODES = {
    "401": "UNAUTHORIZED",
    "403a": "ASSURANCE_REQUIRED",
    "403": "GROUP_FORBIDDEN",
    "404": "GROUP_NOT_FOUND",
    "404m": "MEMBER_NOT_FOUND",
    "404u": "USER_NOT_FOUND",
}
# What it is, which line of the domain's table it is about, and the answers to each caller in turn; "+" is an answer
# that shows addresses, and "*" one that takes a session of level 2 in any group.
TABLE = """
                                                  in a public group              | in a private one
                                                  anon  outs memb admn ownr supr | anon  outs memb admn ownr supr

read the group                     SEE              200  200  200  200  200  200 |  404  404  200  200  200  200
list the members                   LIST_MEMBERS     200  200  200  200  200  200 |  404  404  200  200  200  200
see their addresses                SEE_EMAILS       200  200  200+ 200+ 200+ 200+|  404  404  200+ 200+ 200+ 200+
search them by address             SEE_EMAILS       403  403  200  200  200  200 |  404  404  200  200  200  200
leave                              LEAVE            401  403  204  204  204  404m|  401  404  204  204  204  404m

rename                             UPDATE           401  403  403  200  200  200 |  401  404  403  200  200  200
describe                           UPDATE           401  403  403  200  200  200 |  401  404  403  200  200  200
set the visibility                 SET_VISIBILITY   401  403  403  403  200  200 |  401  404  403  403  200  200
set the required level             REQUIRE          401  403  403  403  200* 200*|  401  404  403  403  200* 200*
see who would be locked out        SEE_ASSURANCE    401  403  403  200  200  200 |  401  404  403  200  200  200
list who would be locked out       SEE_ASSURANCE    403  403  403  200  200  200 |  404  404  403  200  200  200
delete                             DELETE           401  403  403  403  204  204 |  401  404  403  403  204  204

list the invitations               INVITE           401  403  403  200  200  200 |  401  404  403  200  200  200
put an acquaintance                INVITE           401  403  403  202  202  201 |  401  404  403  202  202  201
put an acquaintance as an admin    INVITE           401  403  403  202  202  201 |  401  404  403  202  202  201
put an acquaintance as an owner    MANAGE_OWNERS    401  403  403  403  202  201 |  401  404  403  403  202  201
put a stranger                     ADD_MEMBERS      401  403  403  202  202  201 |  401  404  403  202  202  201
put an unknown id                  ADD_MEMBERS      401  403  403  404u 404u 404u|  401  404  403  404u 404u 404u
become an owner                    MANAGE_OWNERS    401  403  403  403  200  201 |  401  404  403  403  200  201

make a member an admin             CHANGE_ROLES     401  403  403  200  200  200 |  401  404  403  200  200  200
demote an admin                    CHANGE_ROLES     401  403  403  200  200  200 |  401  404  403  200  200  200
make a member an owner             MANAGE_OWNERS    401  403  403  403  200  200 |  401  404  403  403  200  200
make an admin an owner             MANAGE_OWNERS    401  403  403  403  200  200 |  401  404  403  403  200  200
demote an owner                    MANAGE_OWNERS    401  403  403  403  200  200 |  401  404  403  403  200  200
change the role of a stranger      CHANGE_ROLES     401  403  403  404m 404m 404m|  401  404  403  404m 404m 404m
put a member as an admin           CHANGE_ROLES     401  403  403  200  200  200 |  401  404  403  200  200  200
put a member as what it is         CHANGE_ROLES     401  403  403  200  200  200 |  401  404  403  200  200  200
put a member as an owner           MANAGE_OWNERS    401  403  403  403  200  200 |  401  404  403  403  200  200
put an owner as a member           MANAGE_OWNERS    401  403  403  403  200  200 |  401  404  403  403  200  200

remove a member                    REMOVE_MEMBERS   401  403  403  204  204  204 |  401  404  403  204  204  204
remove an admin                    REMOVE_MEMBERS   401  403  403  204  204  204 |  401  404  403  204  204  204
remove an owner                    MANAGE_OWNERS    401  403  403  403  204  204 |  401  404  403  403  204  204
remove a stranger                  REMOVE_MEMBERS   401  403  403  404m 404m 404m|  401  404  403  404m 404m 404m
transfer to a member               TRANSFER         401  403  403  403  200  200 |  401  404  403  403  200  200
transfer to a stranger             TRANSFER         401  403  403  403  404m 404m|  401  404  403  403  404m 404m

list the service accounts          SERVICE          401  403  403  200  200  200 |  401  404  403  200  200  200
create a service account           SERVICE          401  403  403  201  201  201 |  401  404  403  201  201  201
create an admin                    SERVICE          401  403  403  201  201  201 |  401  404  403  201  201  201
rename a service account           SERVICE          401  403  403  200  200  200 |  401  404  403  200  200  200
delete a service account           SERVICE          401  403  403  204  204  204 |  401  404  403  204  204  204
list its secrets                   SERVICE          401  403  403  200  200  200 |  401  404  403  200  200  200
create a secret                    SERVICE          401  403  403  201  201  201 |  401  404  403  201  201  201
revoke a secret                    SERVICE          401  403  403  204  204  204 |  401  404  403  204  204  204
"""
ABBREVIATED = {"SERVICE": "MANAGE_SERVICE_ACCOUNTS", "REQUIRE": "REQUIRE_ASSURANCE"}
# What callers whom a group requires to be of a higher level may do nevertheless, by visibility.
UNPROVEN: dict[str, tuple[str | None, str | None]] = {
    "read the group": ("200", "200"),
    "list the members": ("200", "403a"),
    "see their addresses": ("200", "403a"),
    "leave": (None, None),  # as with the level
}
# What owners may do in routes of admins: the level is asked for before the role.
OWNERS_PART = {"MANAGE_OWNERS", "SET_VISIBILITY", "REQUIRE"}
# Lines of the domain's table that other files test.
ELSEWHERE = {"EXPORT", "IMPORT"}
ROWS = [(line[:35].strip(), line[35:50].strip(), line[50:].split("|")) for line in TABLE.splitlines()[4:] if line]
# Users are named by what they are; "self" is the caller.
ACTIONS: dict[str, tuple[str, str, Any]] = {
    "read the group": ("GET", "", None),
    "list the members": ("GET", "/users", None),
    "see their addresses": ("GET", "/users", None),
    "search them by address": ("GET", "/users?email=a", None),
    "leave": ("DELETE", "/users/self", None),
    "rename": ("PATCH", "", {"name": "Square Table"}),
    "describe": ("PATCH", "", {"description": "It has corners"}),
    "set the visibility": ("PATCH", "", None),
    "set the required level": ("PATCH", "", None),
    "see who would be locked out": ("GET", "/assurance", None),
    "list who would be locked out": ("GET", "/users?second_factor=false", None),
    "delete": ("DELETE", "", None),
    "list the invitations": ("GET", "/invitations", None),
    "put an acquaintance": ("PUT", "/users/acquaintance", {"role": "member"}),
    "put an acquaintance as an admin": ("PUT", "/users/acquaintance", {"role": "admin"}),
    "put an acquaintance as an owner": ("PUT", "/users/acquaintance", {"role": "owner"}),
    "put a stranger": ("PUT", "/users/stranger", {"role": "member"}),
    "put an unknown id": ("PUT", "/users/nobody", {"role": "member"}),
    "become an owner": ("PUT", "/users/self", {"role": "owner"}),
    "make a member an admin": ("PATCH", "/users/a-member", {"role": "admin"}),
    "demote an admin": ("PATCH", "/users/an-admin", {"role": "member"}),
    "make a member an owner": ("PATCH", "/users/a-member", {"role": "owner"}),
    "make an admin an owner": ("PATCH", "/users/an-admin", {"role": "owner"}),
    "demote an owner": ("PATCH", "/users/an-owner", {"role": "admin"}),
    "change the role of a stranger": ("PATCH", "/users/stranger", {"role": "admin"}),
    "put a member as an admin": ("PUT", "/users/a-member", {"role": "admin"}),
    "put a member as what it is": ("PUT", "/users/a-member", {"role": "member"}),
    "put a member as an owner": ("PUT", "/users/a-member", {"role": "owner"}),
    "put an owner as a member": ("PUT", "/users/an-owner", {"role": "member"}),
    "remove a member": ("DELETE", "/users/a-member", None),
    "remove an admin": ("DELETE", "/users/an-admin", None),
    "remove an owner": ("DELETE", "/users/an-owner", None),
    "remove a stranger": ("DELETE", "/users/stranger", None),
    "transfer to a member": ("POST", "/transfer", {"user_id": "a-member"}),
    "transfer to a stranger": ("POST", "/transfer", {"user_id": "stranger"}),
    "list the service accounts": ("GET", "/service-accounts", None),
    "create a service account": ("POST", "/service-accounts", {"name": "Page"}),
    "create an admin": ("POST", "/service-accounts", {"name": "Page", "role": "admin"}),
    "rename a service account": ("PATCH", "/service-accounts/squire", {"name": "Page"}),
    "delete a service account": ("DELETE", "/service-accounts/squire", None),
    "list its secrets": ("GET", "/service-accounts/{squire}/secrets", None),
    "create a secret": (
        "POST",
        "/service-accounts/{squire}/secrets",
        {"name": "x", "scopes": ["members:read"], "expires_in_days": 1},
    ),
    "revoke a secret": ("DELETE", "/service-accounts/{squire}/secrets/secret", None),
}
ROLES = {
    "member": Role.MEMBER, "admin": Role.ADMIN, "owner": Role.OWNER,
    "a-member": Role.MEMBER, "an-admin": Role.ADMIN, "an-owner": Role.OWNER,
}  # fmt: skip
UNKNOWN_ID = "01999999-9999-7999-8999-999999999999"


class Scene:
    """A group, a caller of one standing, and the users whom the actions affect."""

    def __init__(self, world: World, caller: str, group: UserGroup, people: dict[str, User]) -> None:
        self.world, self.caller, self.group, self.people = world, caller, group, people
        self.ids = {name: str(user.id) for name, user in people.items()} | {"nobody": UNKNOWN_ID}
        self.ids["self"] = self.ids.get(caller, UNKNOWN_ID)
        self.headers: dict[str, str] = {}

    async def ask(self, action: str) -> str:
        """Perform the action, return the response, and undo it."""
        method, path, body = ACTIONS[action]
        before, _, name = path.rpartition("/")
        path = f"{before}/{self.ids.get(name, name)}".format(**self.ids) if name else path
        if action == "set the visibility":
            body = {"visibility": "private" if self.group.visibility == "public" else "public"}
        elif action == "set the required level":
            body = {"required_aal": 3 - self.group.required_aal}
        elif "transfer" in action:
            body = {"user_id": self.ids[body["user_id"]]}
        undone = await self.world.sessionmaker.kw["bind"].begin_nested()
        url = f"/user-groups/{self.group.id}{path}"
        answer = await self.world.client.request(method, url, json=body, headers=self.headers)
        await undone.rollback()
        return outcome(answer, action)


def outcome(answer: Response, action: str) -> str:
    if answer.is_success:
        shows = action == "see their addresses" and all("email" in member for member in answer.json())
        return f"{answer.status_code}{'+' if shows else ''}"
    code = answer.json()["detail"]
    return next((cell for cell, each in CODES.items() if (cell[:3], each) == (str(answer.status_code), code)), code)


async def store_service_account(world: World, group: UserGroup) -> dict[str, str]:
    """Store a service account with a secret, and return the ids of both."""
    squire = uuid7()
    values = {"email": f"{squire}@service.invalid", "hashed_password": "!", "owner_group_id": group.id}
    key: dict[str, Any] = {"name": "", "scopes": [], "expires_at": datetime.now(UTC) + timedelta(1)}
    async with transaction(world.sessionmaker) as db:
        db.add(User(id=squire, is_verified=True, **values))
        await db.flush()
        db.add(secret := AccessKey(id=uuid7(), user_id=squire, secret_hash=b"", **key))
    return {"squire": str(squire), "secret": str(secret.id)}


@pytest.fixture
async def scene(world: World, caller: str, visibility: Visibility, required: int, level: int) -> Scene:
    people = {
        name: await world.user(name, is_verified=True) for name in (*ROLES, "outsider", "acquaintance", "stranger")
    }
    people["superuser"] = await world.user("superuser", superuser=True)
    group = await world.group("Round Table", visibility, members={people[name]: ROLES[name] for name in ROLES})
    if required > 1:
        await world.require_second_factor(group)
        group.required_aal = required
    known = (*ROLES, "outsider", "acquaintance")
    await world.group("Hunt", Visibility.PRIVATE, members={people[name]: Role.MEMBER for name in known})
    scene = Scene(world, caller, group, people)
    scene.ids |= await store_service_account(world, group)
    if caller in people:
        scene.headers = await world.sign_in(people[caller])
        if level > 1:
            await world.raise_level(people[caller])
    return scene


def expected_outcome(row: tuple[str, str, list[str]], caller: str, side: int, required: int, level: int) -> str:
    """Return the cell of the table, or what the level of the session makes of it."""
    action, act, sides = row
    cell = sides[side].split()[CALLERS.index(caller)]  # a row may stand close to the line: "200+|" is two words
    answer = cell.removesuffix("*")
    if caller in {"anonymous", "outsider"}:
        return answer
    if level >= required:
        return "403a" if answer != cell and level == 1 else answer
    if action in UNPROVEN:
        return UNPROVEN[action][side] or answer
    level_would_help = answer != "403" or (caller == "admin" and act in OWNERS_PART)
    return "403a" if level_would_help else answer


@pytest.mark.parametrize(("required", "level"), [(1, 1), (2, 1), (2, 2)], ids=["no", "unproven", "proven"])
@pytest.mark.parametrize("visibility", list(Visibility), ids=str)
@pytest.mark.parametrize("caller", CALLERS)
async def test_responses_are_those_of_the_table(
    scene: Scene, caller: str, visibility: Visibility, required: int, level: int
) -> None:
    side = list(Visibility).index(visibility)
    expected = {row[0]: expected_outcome(row, caller, side, required, level) for row in ROWS}

    assert {action: await scene.ask(action) for action in expected} == expected


def test_table_has_every_action_and_caller() -> None:
    assert [action for action, *_ in ROWS] == list(ACTIONS)
    assert {len(side.split()) for _, _, sides in ROWS for side in sides} == {len(CALLERS)}


def test_every_permission_of_the_domain_is_in_the_table() -> None:
    assert {ABBREVIATED.get(act, act) for _, act, _ in ROWS} | ELSEWHERE == set(Permission.__members__)
