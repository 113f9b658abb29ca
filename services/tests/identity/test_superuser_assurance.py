"""SUPERUSER_AAL=2: superusers have the rights of superusers in sessions with a second factor only."""

import re
from pathlib import Path

import pytest

import accounts
from accounts.models import Role, User, Visibility
from support.member_files import import_members
from support.operations import Operation, name_of, operations
from support.people import World

PROBLEM = "application/problem+json"
CHALLENGE = 'Bearer error="insufficient_user_authentication", acr_values="aal2"'


def examples(operation: Operation) -> dict[str, object]:
    found: dict[str, object] = operation.description["responses"].get("403", {}).get("content", {}).get(PROBLEM, {})
    return found.get("examples", {})  # type: ignore[return-value]


FOR_SUPERUSERS = [each for each in operations() if "FORBIDDEN" in examples(each)]


@pytest.fixture
async def morgana(world: World) -> User:
    world.change_settings(superuser_aal=2)
    return await world.user("morgana", superuser=True, is_verified=True)


@pytest.mark.parametrize("operation", FOR_SUPERUSERS, ids=name_of)
async def test_operation_of_superusers_requires_the_level(world: World, morgana: User, operation: Operation) -> None:
    headers = await world.sign_in(morgana)

    refused = await world.client.request(operation.method, operation.url, headers=headers)
    await world.raise_level(morgana)
    admitted = await world.client.request(operation.method, operation.url, headers=headers)

    assert (refused.status_code, refused.json()["detail"]) == (403, "ASSURANCE_REQUIRED")
    assert refused.headers["WWW-Authenticate"] == CHALLENGE
    assert admitted.status_code != 403 or admitted.json()["detail"] != "ASSURANCE_REQUIRED"


def test_walk_finds_the_operations_of_superusers() -> None:
    assert {"get /users", "delete /users/{user_id}", "get /audit"} <= set(map(name_of, FOR_SUPERUSERS))


@pytest.mark.parametrize("path", ["", "/users"])
async def test_private_group_of_others_asks_for_the_level_whether_or_not_it_exists(
    world: World, morgana: User, path: str
) -> None:
    group = await world.group("Round Table", Visibility.PRIVATE)
    headers = await world.sign_in(morgana)

    answers = [await world.client.get(f"/user-groups/{each}{path}", headers=headers) for each in (group.id, 999_999)]
    await world.raise_level(morgana)
    proven = [await world.client.get(f"/user-groups/{each}{path}", headers=headers) for each in (group.id, 999_999)]

    assert [each.json()["detail"] for each in answers] == 2 * ["ASSURANCE_REQUIRED"]
    assert [each.status_code for each in proven] == [200, 404]


async def test_list_of_groups_is_that_of_any_user_below_the_level(world: World, morgana: User) -> None:
    await world.group("Round Table", Visibility.PRIVATE)
    headers = await world.sign_in(morgana)

    before = (await world.client.get("/user-groups", headers=headers)).json()
    await world.raise_level(morgana)
    after = (await world.client.get("/user-groups", headers=headers)).json()

    assert (len(before), len(after)) == (0, 1)


async def test_superuser_below_the_level_has_the_rights_of_their_role(world: World, morgana: User) -> None:
    """As an admin of the group, the superuser invites, and is limited like others: 1,000 a day."""
    group = await world.group("Round Table", Visibility.PRIVATE, members={morgana: Role.ADMIN})
    bors = await world.user("bors")
    world.change_settings(throttle_scale=1)

    invited = await import_members(world, group, morgana, f"email\r\n{bors.email}\r\n", dry_run="true")
    many = "email\r\n" + "".join(f"knight{number}@example.com\r\n" for number in range(1001))
    too_many = await import_members(world, group, morgana, many, dry_run="true")

    assert (invited.json()["added"], invited.json()["invited"]) == (0, 1)
    assert too_many.json()["detail"] == "TOO_MANY_INVITATIONS"


async def test_token_with_a_scope_of_superusers_is_created_at_the_level_only(world: World, morgana: User) -> None:
    headers = await world.sign_in(morgana)
    body = {"name": "report", "scopes": ["users:read"], "expires_in_days": 1}

    refused = await world.client.post("/users/me/tokens", headers=headers, json=body)
    await world.raise_level(morgana)
    created = await world.client.post("/users/me/tokens", headers=headers, json=body)
    key = {"Authorization": f"Bearer {created.json()['token']}"}
    weak = await world.access_key(morgana, "users:read")

    assert refused.json()["detail"] == "ASSURANCE_REQUIRED"
    assert [(await world.client.get("/users", headers=each)).status_code for each in (key, weak)] == [200, 403]


async def test_own_account_stays_open_at_every_level(world: World, morgana: User) -> None:
    headers = await world.sign_in(morgana)

    for path in ("/users/me", "/users/me/tokens", "/auth/sessions", "/users/me/groups"):
        assert (await world.client.get(path, headers=headers)).status_code == 200
    assert (await world.client.patch("/users/me", headers=headers, json={"display_name": "M"})).status_code == 200


def test_flag_of_the_caller_is_read_where_the_level_is_asked_for_and_nowhere_else() -> None:
    """A new check of ``is_superuser`` belongs to ``has_superuser_rights``. The others read the flag of another user."""
    package = Path(accounts.__file__).parent
    sources = {str(path.relative_to(package)): path.read_text() for path in package.rglob("*.py")}
    readers = {name for name, source in sources.items() if re.search(r"\w\.is_superuser\b", source)}

    allowed = {
        "api/admin_pages/access.py",  # it says which refusal
        "api/admin_pages/user_action_table.py",
        "api/authentication.py",  # it says which refusal
        "api/fast_routes.py",  # as above
        "api/callers.py",  # whether pages show the way to the administration, which asks for the level
        "domain/people.py",
        "domain/sessions/caller.py",  # the column, with the level of the same row
        "domain/groups/group_list.py",  # with the level of the caller
        "domain/groups/permissions.py",
        "domain/groups/member_list.py",  # with the level of the same row
        "domain/identity/personal_tokens.py",  # it says which refusal
        "domain/identity/reauthentication.py",  # whether it has changed
        "domain/identity/users.py",
        "domain/sample_users/published_password.py",
        "domain/sample_users/removal.py",
        "domain/user_files/new_users.py",
    }
    assert {name for name in readers if not name.startswith(("seeder/", "migrations/"))} - allowed == set()
    assert "domain/people.py" in readers
