"""Strangers learn nothing: whoever has an account or not, the same is answered and the same work is done."""

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


@pytest.fixture
async def work(world: World, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[str]]:
    """What is done that takes time: the statements, but for the ends of transactions, and the hashes."""
    await world.user("arthur")
    await world.user("mordred", is_active=False)
    await world.user("guinevere", is_verified=True)
    work: list[str] = []
    run = world.passwords._run

    async def counted(job: Callable[[], Any]) -> Any:
        work.append("hash")
        return await run(job)

    def noted(*arguments: Any) -> None:
        if "SAVEPOINT" not in arguments[2]:
            work.append(arguments[2])

    monkeypatch.setattr(world.passwords, "_run", counted)
    event.listen(engine.sync_engine, "before_cursor_execute", noted)
    yield work
    event.remove(engine.sync_engine, "before_cursor_execute", noted)


@pytest.mark.parametrize("ask", [login, cookie_login, forgot_password, request_verify_token])
@pytest.mark.parametrize("email", [KNOWN, INACTIVE, VERIFIED])
async def test_the_same_is_done_and_answered(
    world: World, work: list[str], ask: Callable[[str], dict[str, Any]], email: str
) -> None:
    known = await world.client.post(**ask(email))
    for_known = work.copy()
    work.clear()
    unknown = await world.client.post(**ask(UNKNOWN))

    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert known.headers.keys() == unknown.headers.keys()
    assert for_known == work != []


async def test_signing_up_does_the_same(world: World, work: list[str]) -> None:
    known = await world.client.post(**register(KNOWN))
    for_known = work.copy()
    work.clear()
    unknown = await world.client.post(**register(UNKNOWN))

    assert known.status_code == unknown.status_code == 201
    assert known.headers.keys() == unknown.headers.keys()
    assert known.json().keys() == unknown.json().keys()
    # The last one posts a mail, of one kind or the other.
    assert (len(for_known), for_known[:-1]) == (len(work), work[:-1])
    assert all("INSERT INTO outbox" in each for each in (for_known[-1], work[-1]))
    assert work.count("hash") == 1


async def test_the_inactive_are_refused_by_the_same_work(world: World, work: list[str]) -> None:
    await world.login(INACTIVE)
    for_inactive = work.copy()
    work.clear()
    await world.login(UNKNOWN)

    assert for_inactive == work
    assert work.count("hash") == 1
