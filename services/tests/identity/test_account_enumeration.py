"""Account enumeration: responses and work are the same whether or not an email address has an account."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from support.people import PASSWORD, World

KNOWN = "arthur@camelot.example.com"
INACTIVE = "mordred@camelot.example.com"
VERIFIED = "guinevere@camelot.example.com"
UNKNOWN = "nobody@camelot.example.com"


def login(email: str) -> dict[str, Any]:
    return {"url": "/auth/jwt/login", "data": {"username": email, "password": "not-the-password"}}


def cookie_login(email: str) -> dict[str, Any]:
    return login(email) | {"url": "/auth/cookie/login"}


def register(email: str) -> dict[str, Any]:
    return {"url": "/auth/register", "json": {"email": email, "password": PASSWORD}}


def forgot_password(email: str) -> dict[str, Any]:
    return {"url": "/auth/forgot-password", "json": {"email": email}}


def request_verify_token(email: str) -> dict[str, Any]:
    return {"url": "/auth/request-verify-token", "json": {"email": email}}


def request_code(email: str) -> dict[str, Any]:
    return {"url": "/auth/code/request", "json": {"email": email}}


@pytest.fixture
async def work(world: World, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[str]]:
    """The statements, except the ends of transactions, and the password hashes that a request runs."""
    await world.user("arthur")
    await world.user("mordred", is_active=False)
    await world.user("guinevere", is_verified=True)
    work: list[str] = []
    run_hash = world.passwords.queue.run

    async def counted(job: Callable[[], Any], callers: Any) -> Any:
        work.append("hash")
        return await run_hash(job, callers)

    def noted(*arguments: Any) -> None:
        if "SAVEPOINT" not in arguments[2]:
            work.append(arguments[2])

    monkeypatch.setattr(world.passwords.queue, "run", counted)
    event.listen(engine.sync_engine, "before_cursor_execute", noted)
    yield work
    event.remove(engine.sync_engine, "before_cursor_execute", noted)


@pytest.mark.parametrize("request_to", [login, cookie_login, forgot_password, request_verify_token])
@pytest.mark.parametrize("email", [KNOWN, INACTIVE, VERIFIED])
async def test_response_and_work_are_the_same_for_known_and_unknown_emails(
    world: World, work: list[str], request_to: Callable[[str], dict[str, Any]], email: str
) -> None:
    known = await world.client.post(**request_to(email))
    for_known = work.copy()
    work.clear()
    unknown = await world.client.post(**request_to(UNKNOWN))

    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert known.headers.keys() == unknown.headers.keys()
    assert for_known == work != []


@pytest.mark.parametrize("email", [KNOWN, INACTIVE, VERIFIED])
async def test_request_for_a_code_and_wrong_codes_do_the_same_work_for_known_and_unknown_emails(
    world: World, work: list[str], email: str
) -> None:
    world.change_settings(sign_in_by_code=True)
    seen = []
    for each in (email, UNKNOWN):
        work.clear()
        requested = await world.client.post(**request_code(each))
        body = {"code_token": requested.json()["code_token"], "code": "BBBB-BBBB"}
        answers = [await world.client.post("/auth/jwt/code", json=body) for _ in range(7)]
        statuses = [(answer.status_code, answer.content, answer.headers.keys()) for answer in answers]
        seen.append((requested.status_code, len(requested.content), requested.headers.keys(), statuses, work.copy()))

    assert seen[0] == seen[1]
    assert seen[0][-1] != []


async def test_registration_does_the_same_work_for_free_and_taken_emails(world: World, work: list[str]) -> None:
    known = await world.client.post(**register(KNOWN))
    for_known = work.copy()
    work.clear()
    unknown = await world.client.post(**register(UNKNOWN))

    assert known.status_code == unknown.status_code == 201
    assert known.headers.keys() == unknown.headers.keys()
    assert known.json().keys() == unknown.json().keys()
    # The last statement enqueues a mail, of one kind or the other.
    assert (len(for_known), for_known[:-1]) == (len(work), work[:-1])
    assert all("INSERT INTO outbox" in each for each in (for_known[-1], work[-1]))
    assert work.count("hash") == 1


async def test_sign_in_of_inactive_users_does_the_same_work_as_of_unknown_emails(world: World, work: list[str]) -> None:
    await world.login(INACTIVE)
    for_inactive = work.copy()
    work.clear()
    await world.login(UNKNOWN)

    assert for_inactive == work
    assert work.count("hash") == 1
