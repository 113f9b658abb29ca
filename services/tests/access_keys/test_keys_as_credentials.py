"""Requests that are authenticated by an access key."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest
from sqlalchemy import text
from sqlmodel import select

from accounts.db.session import transaction
from accounts.domain.access_keys.secret import KeyKind, KeySecret
from accounts.domain.access_keys.store import AccessKeyStore
from accounts.domain.rate_limits.gcra import Limit
from accounts.domain.rate_limits.rules import RULES, Attempt, Rule
from accounts.models import AccessKey, AuditEvent, Role, Scope
from accounts.settings import LimitGroup
from support.people import World
from support.schema import recorded_statements

ORDINARY, FAST = "/users/me/groups", "/users/me"
BOTH = pytest.mark.parametrize("path", [ORDINARY, FAST])
SCOPES = Scope.PROFILE_READ, Scope.GROUPS_READ, Scope.GROUPS_WRITE


@asynccontextmanager
async def statements_of(world: World) -> AsyncIterator[set[str]]:
    """Note the statements of requests."""
    texts: set[str] = set()
    async with transaction(world.sessionmaker) as db:
        async with recorded_statements(db) as statements:
            yield texts
        texts |= {statement for statement, _ in statements}


@BOTH
async def test_a_key_authenticates_its_user(world: World, path: str) -> None:
    arthur = await world.user("arthur")
    answer = await world.client.get(path, headers=await world.access_key(arthur, *SCOPES))

    assert answer.json() == (await world.client.get(path, headers=await world.sign_in(arthur))).json()


TO_SERVICE_ACCOUNT = """
UPDATE "user" SET email = id || '@service.invalid', hashed_password = '!', is_superuser = false, owner_group_id =
"""


@BOTH
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE access_key SET expires_at = now()",
        "DELETE FROM access_key",
        """UPDATE "user" SET is_active = false""",
        """DELETE FROM "user" """,
        f"{TO_SERVICE_ACCOUNT} (SELECT min(id) FROM user_group)",  # noqa: S608  # a constant
    ],
)
async def test_a_key_ends_at_the_next_request(world: World, path: str, change: str) -> None:
    headers = await world.access_key(await world.user("arthur"), *SCOPES)
    await world.group("Round Table")
    assert (await world.client.get(path, headers=headers)).is_success

    await world.sql(change)

    answer = await world.client.get(path, headers=headers)
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@BOTH
async def test_an_unknown_id_and_a_wrong_secret_are_the_same_answer_and_the_same_work(world: World, path: str) -> None:
    headers = await world.access_key(await world.user("arthur"), *SCOPES)
    async with transaction(world.sessionmaker) as db:
        key_id = (await db.exec(select(AccessKey.id))).one()
    answers, work = [], []
    for known in key_id, uuid.uuid4():
        headers = {"Authorization": f"Bearer {KeySecret.create(KeyKind.PERSONAL, known)}"}
        async with statements_of(world) as statements:
            answer = await world.client.get(path, headers=headers)
        answers.append((answer.status_code, answer.json(), answer.headers["WWW-Authenticate"]))
        work.append(statements)

    assert answers[0] == answers[1]
    assert work[0] == work[1]
    assert len(work[0]) == 1


@BOTH
@pytest.mark.parametrize("token", ["acc_pat_", "acc_pat_short", "acc_pat_" + "A" * 73, "acc_svc_" + "A" * 73, "acc_"])
async def test_a_malformed_key_costs_no_statement(world: World, path: str, token: str) -> None:
    async with statements_of(world) as statements:
        answer = await world.client.get(path, headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert statements == set()


@BOTH
async def test_the_secret_of_a_service_account_is_no_access_token(world: World, path: str) -> None:
    arthur = await world.user("arthur")
    group = await world.group("Round Table", members={arthur: Role.OWNER})
    headers = await world.access_key(arthur, *SCOPES, kind=KeyKind.SERVICE)
    await world.sql(f"{TO_SERVICE_ACCOUNT} {group.id}")

    assert (await world.client.get(path, headers=headers)).status_code == HTTPStatus.UNAUTHORIZED


@BOTH
async def test_a_key_is_ignored_in_a_cookie_and_in_the_query(world: World, path: str) -> None:
    key = (await world.access_key(await world.user("arthur"), *SCOPES))["Authorization"].removeprefix("Bearer ")

    cookie = await world.client.get(path, headers={"Cookie": f"__Host-accounts={key}"})
    query = await world.client.get(path, params={"access_token": key, "token": key})
    basic = await world.client.get(path, headers={"Authorization": f"Basic {key}"})

    assert {cookie.status_code, query.status_code, basic.status_code} == {401}


@BOTH
async def test_the_use_of_a_key_is_stored_once_a_minute(world: World, path: str) -> None:
    headers = await world.access_key(await world.user("arthur"), *SCOPES)
    seen = []
    for change in "", "", "UPDATE access_key SET last_used_at = now() - interval '61 seconds', last_used_address = ''":
        if change:
            await world.sql(change)
        async with statements_of(world) as statements:
            assert (await world.client_at("203.0.113.7").get(path, headers=headers)).is_success
        seen.append(any("UPDATE access_key" in statement for statement in statements))
        async with transaction(world.sessionmaker) as db:
            key = (await db.exec(select(AccessKey))).one()
            assert key.last_used_at is not None
            assert key.last_used_address == "203.0.113.7"

    assert seen == [True, False, True]


async def test_what_a_key_does_is_recorded_with_the_id_of_the_key(world: World) -> None:
    arthur = await world.user("arthur")
    headers = await world.access_key(arthur, *SCOPES)

    answer = await world.client.post("/user-groups", json={"name": "Round Table"}, headers=headers)

    assert answer.status_code == HTTPStatus.CREATED
    async with transaction(world.sessionmaker) as db:
        key_id = (await db.exec(select(AccessKey.id))).one()
        event = (await db.exec(select(AuditEvent).where(AuditEvent.action == "group.created"))).one()
    assert (event.actor_id, event.detail["key_id"]) == (arthur.id, str(key_id))


async def test_requests_with_a_key_are_limited_like_those_of_its_user(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RULES, Attempt.WRITE, Rule(LimitGroup.REQUESTS, account=(Limit(1, 60),)))
    world.change_settings(throttle_scale=1)
    arthur = await world.user("arthur")
    key, session = await world.access_key(arthur, *SCOPES), await world.sign_in(arthur)

    first = await world.client.post("/user-groups", json={"name": "Round Table"}, headers=session)
    second = await world.client.post("/user-groups", json={"name": "Hunt"}, headers=key)

    assert (first.status_code, second.status_code) == (HTTPStatus.CREATED, HTTPStatus.TOO_MANY_REQUESTS)


async def test_a_key_is_found_by_one_look_up_in_the_index_however_many_there_are(world: World) -> None:
    secret = KeySecret.create(KeyKind.PERSONAL, uuid.uuid4())

    async with transaction(world.sessionmaker) as db:
        connection = await db.connection()
        await connection.execute(text("SET LOCAL enable_seqscan = off"))  # among few rows a scan is cheaper
        async with recorded_statements(db) as statements:
            await AccessKeyStore(db).find(str(secret), KeyKind.PERSONAL)
        statement, values = statements[0]
        plan = str((await connection.exec_driver_sql(f"EXPLAIN {statement}", values)).all())

    assert "Index Scan using pk_access_key" in plan
    assert "Seq Scan" not in plan
