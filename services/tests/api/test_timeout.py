"""Requests are cancelled when the database is slow, but not when the client is."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from httpx2 import ASGITransport, AsyncClient
from sqlmodel import select

from accounts.api.downloads import CHUNK_BYTES, Download
from accounts.api.middleware import timeout
from accounts.api.middleware.timeout import RequestTimeout
from accounts.db.session import transaction
from accounts.models import Role, User
from support.people import World

SECONDS = 0.5


@pytest.fixture(autouse=True)
def _short_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeout, "SECONDS", SECONDS)


async def test_slow_request_is_answered_with_503_and_rolled_back(
    busy_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = await busy_world.sign_in(await busy_world.user("arthur"))
    monkeypatch.setattr(timeout, "SECONDS", SECONDS)
    async with transaction(busy_world.sessionmaker) as db:
        await db.exec(select(User).with_for_update())
        response = await busy_world.client.patch("/users/me", json={"display_name": "Rex"}, headers=headers)

    assert (response.status_code, response.json()["detail"]) == (503, "SERVICE_UNAVAILABLE")
    assert "Retry-After" in response.headers
    assert (await busy_world.client.get("/users/me", headers=headers)).json()["display_name"] == "Arthur"


async def slow_stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await asyncio.sleep(SECONDS * 0.7)
        yield chunk


async def test_body_may_arrive_more_slowly(world: World) -> None:
    body = slow_stream(b'{"email": "arthur@camelot.example.com",', b'"password": "guinevere', b'-and-lancelot"}')

    response = await world.client.post("/auth/register", content=body, headers={"Content-Type": "application/json"})

    assert response.status_code == 201


async def test_download_may_take_longer() -> None:
    chunks = [b"x" * CHUNK_BYTES] * 3
    transport = ASGITransport(RequestTimeout(Download(slow_stream(*chunks), "text/plain", "x.txt"), ()))

    async with AsyncClient(transport=transport, base_url="http://testserver") as client:
        assert (await client.get("/")).content == b"".join(chunks)


async def test_import_may_take_longer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    arthur = await world.user("arthur", is_verified=True)
    group = await world.group("Round Table", members={arthur: Role.OWNER})
    headers = await world.sign_in(arthur) | {"Content-Type": "text/csv"}
    monkeypatch.setattr(timeout, "SECONDS", 0)

    path = f"/user-groups/{group.id}/users/import"
    imported = await world.client.post(path, content=b"email\r\nbors@example.com\r\n", headers=headers)
    listed = await world.client.get(f"/user-groups/{group.id}/users", headers=headers)

    assert (imported.status_code, listed.status_code) == (200, 503)
