"""POST /users/import: for superusers who signed in recently, bounded, and one at a time."""

import asyncio
import json
from http import HTTPStatus
from typing import Any

import pytest
from httpx2 import Response

from accounts.api.routes.identity import user_files
from accounts.db.session import transaction
from accounts.domain.bulk import TRY_LOCK
from accounts.domain.user_files import user_import
from accounts.domain.user_files.user_import import SUBJECT, import_users
from accounts.models import Role, Visibility
from support.people import PASSWORD, World
from user_files.test_user_import import ARTHUR, BORS, GALAHAD, HASHED, actions, users

JSON_LINES = {"Content-Type": "application/jsonl"}
OLD = "UPDATE user_session SET authenticated_at = now() - interval '1 day'"


async def post(world: World, headers: dict[str, str], *lines: Any, **query: str) -> Response:
    content = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    return await world.client.post("/users/import", content=content, params=query, headers=JSON_LINES | headers)


@pytest.fixture
async def merlin(busy_world: World) -> dict[str, str]:
    return await busy_world.sign_in(await busy_world.user("merlin", superuser=True))


async def test_superuser_imports_users(busy_world: World, merlin: dict[str, str]) -> None:
    lines = ({**ARTHUR, "hashed_password": HASHED, "groups": [{"name": "Knights", "role": "owner"}]}, GALAHAD)

    dry = await post(busy_world, merlin, *lines, dry_run="true")
    assert set(await users(busy_world)) == {"merlin"}
    real = await post(busy_world, merlin, *lines)

    expected = {"created": 2, "without_password": 1, "invited": 0, "already_exist": 0, "reserved": 0}
    expected |= {"groups_created": 1, "memberships_created": 1}
    assert (dry.status_code, dry.json()) == (200, {"dry_run": True, **expected})
    assert (real.status_code, real.json()) == (200, {"dry_run": False, **expected})
    await busy_world.sign_in(ARTHUR["email"], PASSWORD)
    assert (await actions(busy_world))["users.imported"] == 1


async def test_invalid_lines_are_named(busy_world: World, merlin: dict[str, str]) -> None:
    answer = await post(
        busy_world, merlin, ARTHUR, {**BORS, "hashed_password": "pbkdf2_sha256$999999999$salt$QUFBQUFBQUFBQUFBQUFBQQ=="}
    )

    assert (answer.status_code, answer.json()["detail"]) == (422, "IMPORT_INVALID")
    [error] = answer.json()["errors"]
    assert (error["loc"], error["type"]) == (["body", 2, "hashed_password"], "hash_too_expensive")
    assert set(await users(busy_world)) == {"merlin"}


async def test_others_may_not_import(busy_world: World) -> None:
    assert (await post(busy_world, {}, ARTHUR)).status_code == HTTPStatus.UNAUTHORIZED
    headers = await busy_world.sign_in(await busy_world.user("mordred"))
    assert (await post(busy_world, headers, ARTHUR)).status_code == HTTPStatus.FORBIDDEN


async def test_import_requires_a_recent_sign_in(busy_world: World, merlin: dict[str, str]) -> None:
    await busy_world.sql(OLD)
    answer = await post(busy_world, merlin, ARTHUR)
    assert (answer.status_code, answer.json()["detail"]) == (403, "REAUTHENTICATION_REQUIRED")


async def test_import_of_a_superuser_who_is_demoted_meanwhile_is_undone(
    busy_world: World, merlin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = import_users

    async def demoting(*args: Any, **options: Any) -> Any:
        result = await original(*args, **options)
        await busy_world.sql('UPDATE "user" SET is_superuser = false WHERE is_superuser')
        return result

    monkeypatch.setattr(user_files, "import_file", demoting)
    answer = await post(busy_world, merlin, ARTHUR)
    assert (answer.status_code, answer.json()["detail"]) == (403, "REAUTHENTICATION_REQUIRED")
    assert set(await users(busy_world)) == {"merlin"}


async def test_other_media_type_is_refused(busy_world: World, merlin: dict[str, str]) -> None:
    answer = await busy_world.client.post("/users/import", json=ARTHUR, headers=merlin)
    assert (answer.status_code, answer.headers["accept"]) == (415, "application/jsonl")


async def test_too_many_users_are_refused(
    busy_world: World, merlin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_files, "USERS_MAX", 1)
    answer = await post(busy_world, merlin, ARTHUR, BORS)
    assert (answer.status_code, answer.json()["errors"][0]["type"]) == (422, "too_many_rows")


async def test_one_import_of_users_runs_at_a_time(busy_world: World, merlin: dict[str, str]) -> None:
    async with transaction(busy_world.sessionmaker) as db:
        await TRY_LOCK.run(db, subjects=[SUBJECT])
        answer = await post(busy_world, merlin, ARTHUR)
    assert (answer.status_code, answer.json()["detail"]) == (409, "IMPORT_IN_PROGRESS")


async def test_sign_ups_of_the_same_emails_and_the_import_race_without_loss(
    busy_world: World, merlin: dict[str, str]
) -> None:
    lines = [{"email": f"knight{number}@camelot.example.com"} for number in range(40)]
    sign_ups = [
        busy_world.client.post("/auth/register", json={**line, "password": "sword-in-the-stone"}) for line in lines[::4]
    ]

    answer, *others = await asyncio.gather(post(busy_world, merlin, *lines), *sign_ups)

    assert answer.status_code == 200, answer.text
    assert {other.status_code for other in others} == {201}
    assert answer.json()["created"] + answer.json()["already_exist"] == 40
    assert len(await users(busy_world)) == 41


async def test_user_who_is_created_during_the_import_is_kept(
    busy_world: World, merlin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = user_import._UserImport._store

    async def late(self: Any, *batch: Any) -> None:
        await busy_world.user("arthur")
        await original(self, *batch)

    monkeypatch.setattr(user_import._UserImport, "_store", late)
    answer = await post(busy_world, merlin, {**ARTHUR, "hashed_password": HASHED}, BORS)
    assert (answer.json()["created"], answer.json()["already_exist"]) == (1, 1)


async def test_conflict_that_is_gone_again_is_answered_409(
    busy_world: World, merlin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await busy_world.user("arthur")
    original = user_import._UserImport._find_new

    async def late(self: Any, batch: Any) -> Any:
        await busy_world.sql("DELETE FROM \"user\" WHERE email LIKE 'arthur@%'")
        return await original(self, batch)

    monkeypatch.setattr(user_import._UserImport, "_find_new", late)
    answer = await post(busy_world, merlin, ARTHUR, BORS)
    assert (answer.status_code, answer.json()["detail"]) == (409, "CONFLICT")
    assert set(await users(busy_world)) == {"merlin"}


async def test_client_that_disconnects_leaves_nothing_behind(busy_world: World, merlin: dict[str, str]) -> None:
    received = iter([
        {"type": "http.request", "body": b'{"email":"bors@camelot.example.com"}\n', "more_body": True},
        {"type": "http.disconnect"},
    ])  # fmt: skip
    sent: list[Any] = []
    headers = {"host": "testserver", "content-type": "application/jsonl", **merlin}

    async def receive() -> Any:
        return next(received)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "root_path": "", "query_string": b"",
        "path": "/users/import", "raw_path": b"/users/import", "client": ("127.0.0.1", 1), "server": ("testserver", 80),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "state": dict(busy_world.state),
    }  # fmt: skip
    await busy_world.app(scope, receive, send)

    assert sent[0]["status"] == 400
    assert set(await users(busy_world)) == {"merlin"}


async def test_session_of_level_1_adds_no_member_to_a_group_that_requires_a_second_factor(
    busy_world: World, merlin: dict[str, str]
) -> None:
    group = await busy_world.group("Table", Visibility.PRIVATE, members={await busy_world.user("bors"): Role.OWNER})
    await busy_world.require_second_factor(group)

    refused = await post(busy_world, merlin, {**GALAHAD, "groups": [{"id": group.id, "role": "owner"}]})

    assert (refused.status_code, refused.json()["detail"]) == (422, "IMPORT_INVALID")
    assert set(await users(busy_world)) == {"merlin", "bors"}
