"""Which scope opens which route: a matrix that is generated from the routes, so a new one is part of it."""

import re
from datetime import timedelta
from http import HTTPStatus
from typing import Any, get_args

import pytest
from fastapi.routing import iter_route_contexts
from httpx2 import Response

from accounts.api import scopes
from accounts.api.app import create_app
from accounts.api.scopes import ROUTES, required_scope
from accounts.db.session import transaction
from accounts.domain.groups.permissions import REQUIRED_SCOPE, Permission
from accounts.models import Role, Scope, SessionKind, User, UserSession, Visibility
from accounts.schemas.access_keys import ProgramScope
from environment import ROOT
from support.operations import CLIENT_SECRET, PATH_VALUES
from support.people import World

APP = create_app()
DOCUMENT: dict[str, Any] = APP.openapi()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}
# Besides those with the secret of a client, which is no user's credential.
AUTHENTICATED = sorted(
    route for route, operation in OPERATIONS.items() if operation.get("security", CLIENT_SECRET) != CLIENT_SECRET
)
CONVERTER = re.compile(r":\w+}")  # of a parameter of a path
PAGES = sorted(
    {
        f"{method} {route.path}"
        for route in iter_route_contexts(APP.routes)
        for method in set(route.methods or ()) - {"HEAD"}
        if (route.path or "").startswith("/account")
    }
)
PROGRAM_SCOPES = [scope for scope in Scope if scope not in {Scope.ACCOUNT, Scope.GROUPS}]


async def call(world: World, route: str, headers: dict[str, str]) -> Response:
    method, path = route.split()
    return await world.client.request(method, CONVERTER.sub("}", path).format_map(PATH_VALUES), headers=headers)


def refusal(answer: Response) -> str | None:
    """Return the code by which a program is refused. Any other answer means that it was let in."""
    code = answer.json()["detail"] if answer.status_code == HTTPStatus.FORBIDDEN else None
    return code if code in {"NOT_WITH_A_KEY", "INSUFFICIENT_SCOPE"} else None


def expected_refusal(route: str, scope: Scope) -> str | None:
    required = required_scope(*route.split())
    return "NOT_WITH_A_KEY" if required is None else None if required is scope else "INSUFFICIENT_SCOPE"


def test_every_authenticated_route_says_what_programs_may() -> None:
    assert sorted(ROUTES) == AUTHENTICATED


def test_reading_takes_a_scope_to_read_and_writing_one_to_write() -> None:
    for route in ROUTES:
        if scope := required_scope(*route.split()):
            assert scope.endswith(":read" if route.startswith("GET") else ":write") or scope is Scope.INTROSPECT, route


def test_every_permission_has_a_scope_and_every_scope_a_route() -> None:
    assert REQUIRED_SCOPE.keys() == set(Permission)
    assert {required_scope(*route.split()) for route in ROUTES} - {None} == set(PROGRAM_SCOPES)


@pytest.mark.parametrize("scope", PROGRAM_SCOPES)
async def test_a_key_opens_the_routes_of_its_scope_and_no_other(world: World, scope: Scope) -> None:
    headers = await world.access_key(await world.user("arthur", superuser=True), scope)

    answers = {route: refusal(await call(world, route, headers)) for route in AUTHENTICATED}

    assert answers == {route: expected_refusal(route, scope) for route in AUTHENTICATED}


@pytest.mark.parametrize("scope", [Scope.PROFILE_READ, Scope.MEMBERS_READ])
async def test_a_service_token_opens_the_routes_of_its_scope_and_no_other(world: World, scope: Scope) -> None:
    headers = await service_token(world, await world.user("robot", superuser=True), scope)

    answers = {route: refusal(await call(world, route, headers)) for route in AUTHENTICATED}

    assert answers == {route: expected_refusal(route, scope) for route in AUTHENTICATED}


async def service_token(world: World, user: User, *granted: Scope, claimed: str | None = None) -> dict[str, str]:
    """Return the headers of a session that a service account would have."""
    session = UserSession(
        user_id=user.id, kind=SessionKind.SERVICE, token_hash=b"", scopes=list(granted), expires_at=user.created_at
    )
    session.expires_at += timedelta(days=1)
    async with transaction(world.sessionmaker) as db:
        db.add(session)
        await db.flush()
    scopes = [claimed] if claimed else granted
    return {"Authorization": f"Bearer {world.state['keys'].sign(user.id, session.id, scopes)}"}


async def test_a_service_token_that_claims_everything_has_the_scopes_of_its_session(world: World) -> None:
    headers = await service_token(world, await world.user("robot"), Scope.PROFILE_READ, claimed=Scope.ACCOUNT)

    assert (await world.client.get("/users/me/activity", headers=headers)).is_success
    created = await world.client.post("/user-groups", json={"name": "Robots"}, headers=headers)
    assert created.json()["detail"] == "INSUFFICIENT_SCOPE"
    for path in ("/users/me", "/users/me/groups", "/users/me/invitations", "/auth/sessions"):
        assert (await world.client.get(path, headers=headers)).status_code == HTTPStatus.UNAUTHORIZED


async def test_account_pages_refuse_keys(world: World) -> None:
    headers = await world.access_key(await world.user("arthur"), *PROGRAM_SCOPES)

    for route in PAGES:
        anonymous, answer = await call(world, route, {}), await call(world, route, headers)
        assert answer.status_code in {anonymous.status_code, HTTPStatus.FORBIDDEN}, route
        assert "arthur" not in answer.text


async def test_sessions_are_not_for_programs_even_where_a_route_forgets_to_say_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for method in ("GET", "DELETE"):
        monkeypatch.setitem(scopes.ROUTES, f"{method} /auth/sessions", Scope.PROFILE_READ)
    arthur = await world.user("arthur")

    for headers in (
        await world.access_key(arthur, Scope.PROFILE_READ),
        await service_token(world, arthur, Scope.PROFILE_READ),
    ):
        assert refusal(await world.client.get("/auth/sessions", headers=headers)) == "NOT_WITH_A_KEY"
        assert refusal(await world.client.delete("/auth/sessions", headers=headers)) == "NOT_WITH_A_KEY"


async def test_a_route_without_an_entry_refuses_keys(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(scopes.ROUTES, "GET /users/me")
    headers = await world.access_key(await world.user("arthur"), *PROGRAM_SCOPES)

    assert refusal(await world.client.get("/users/me", headers=headers)) == "NOT_WITH_A_KEY"


async def test_a_missing_scope_is_named(world: World) -> None:
    headers = await world.access_key(await world.user("arthur"), Scope.GROUPS_READ)

    answer = await world.client.get("/users/me", headers=headers)

    assert answer.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="profile:read"'


@pytest.mark.parametrize(
    "route", ["GET /user-groups", "GET /user-groups/{group_id}", "GET /user-groups/{group_id}/users"]
)
async def test_a_key_without_the_scope_is_refused_where_anonymous_callers_are_served(world: World, route: str) -> None:
    await world.group("Round Table")
    headers = await world.access_key(await world.user("arthur"), Scope.PROFILE_READ)

    assert refusal(await call(world, route, headers)) == "INSUFFICIENT_SCOPE"


async def test_a_key_has_the_standing_of_its_user(world: World) -> None:
    arthur, mordred = await world.user("arthur"), await world.user("mordred")
    group = await world.group("Round Table", Visibility.PRIVATE, members={arthur: Role.OWNER, mordred: Role.MEMBER})
    path = f"/user-groups/{group.id}"
    owner, member = (
        await world.access_key(arthur, Scope.GROUPS_WRITE),
        await world.access_key(mordred, Scope.GROUPS_WRITE),
    )

    assert (await world.client.patch(path, json={"name": "Hunt"}, headers=member)).json()["detail"] == "GROUP_FORBIDDEN"
    assert (await world.client.patch(path, json={"name": "Hunt"}, headers=owner)).is_success


async def test_a_key_lists_members_and_their_emails_as_its_user_does(world: World) -> None:
    arthur, lancelot = await world.user("arthur"), await world.user("lancelot")
    group = await world.group("Round Table", Visibility.PRIVATE, members={arthur: Role.OWNER})
    path = f"/user-groups/{group.id}/users"
    key = await world.access_key(arthur, Scope.MEMBERS_READ)

    by_key = await world.client.get(path, headers=key)
    by_session = await world.client.get(path, headers=await world.sign_in(arthur))

    assert by_key.json() == by_session.json() != []
    stranger = await world.access_key(lancelot, Scope.MEMBERS_READ)
    assert (await world.client.get(path, headers=stranger)).json()["detail"] == "GROUP_NOT_FOUND"


def test_openapi_names_the_scope_of_each_route() -> None:
    for route in AUTHENTICATED:
        scope, operation = required_scope(*route.split()), OPERATIONS[route]
        listed = [each["AccessKey"] for each in operation["security"] if "AccessKey" in each]
        assert listed == ([[scope]] if scope else [])
        code = "INSUFFICIENT_SCOPE" if scope else "NOT_WITH_A_KEY"
        assert code in operation["responses"]["403"]["description"]
        assert (f"Scope for programs: `{scope}`" in operation["description"]) is (scope is not None)


def test_documentation_names_every_scope_and_what_it_opens() -> None:
    text = (ROOT / "docs/access-tokens.md").read_text().partition("## Scopes")[2]
    rows = dict(re.findall(r"^\| `(\w+:?\w*)` \| (.*) \|$", text, re.MULTILINE))

    assert sorted(rows) == sorted(get_args(ProgramScope))
    for scope, opened in rows.items():
        for method, path in re.findall(r"`([A-Z]+) (/[^`]+)`", opened):
            assert required_scope(method, path) == scope
