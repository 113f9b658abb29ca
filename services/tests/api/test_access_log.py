"""The access log: one line for each request, which clients cannot forge."""

import logging
from typing import Any
from unittest.mock import AsyncMock

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from starlette.types import Receive, Scope, Send

from accounts.api import dev
from accounts.api.middleware.access_log import AccessLog
from support.people import World

REQUESTS = "accounts.requests"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, REQUESTS)
    return caplog


def last_line(lines: pytest.LogCaptureFixture) -> dict[str, Any]:
    names = ("method", "route", "status", "user_id")
    return {name: getattr(lines.records[-1], name) for name in names}


async def test_line_has_method_route_status_and_user(world: World, lines: pytest.LogCaptureFixture) -> None:
    arthur = await world.user("arthur")
    headers = await world.sign_in(arthur)

    await world.client.get("/user-groups/12345/users?email=arthur%40x.org", headers=headers)
    read = last_line(lines)
    await world.client.patch("/users/me", json={"display_name": "Rex"}, headers=headers)

    assert read == {
        "method": "GET", "route": "/user-groups/{group_id}/users", "status": 404, "user_id": str(arthur.id),
    }  # fmt: skip
    assert last_line(lines) == {"method": "PATCH", "route": "/users/me", "status": 200, "user_id": str(arthur.id)}
    assert vars(lines.records[-1])["ms"] > 0


async def test_rolled_back_requests_are_logged_with_their_user(world: World, lines: pytest.LogCaptureFixture) -> None:
    arthur = await world.user("arthur")
    headers = await world.sign_in(arthur)

    for _ in range(2):
        await world.client.post("/user-groups", json={"name": "Knights", "visibility": "public"}, headers=headers)

    assert last_line(lines) == {"method": "POST", "route": "/user-groups", "status": 409, "user_id": str(arthur.id)}


async def test_every_request_is_logged_once(
    world: World, lines: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines.clear()
    monkeypatch.setattr(world.passwords, "verify", None)

    statuses = [
        (await world.client.get("/nowhere%0d%0a{forged}")).status_code,
        (await world.client.get("/health/live", headers={"Host": "elsewhere.example"})).status_code,
        (await world.client.post("/auth/register", json=[])).status_code,
        (await world.login("arthur@camelot.example.com")).status_code,
    ]

    assert statuses == [404, 200, 422, 500]
    records = [vars(record) for record in lines.records if record.name == REQUESTS]
    assert [(record["status"], record["route"]) for record in records] == [
        (404, "-"), (200, "/health/live"), (422, "/auth/register"), (500, "/auth/jwt/login"),
    ]  # fmt: skip


@pytest.mark.parametrize("given", ["abc-123.DEF_4", "x" * 64])
async def test_valid_request_id_is_kept(client: AsyncClient, given: str) -> None:
    assert (await client.get("/health/live", headers={"X-Request-ID": given})).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", 'a"}', "ä".encode()])
async def test_invalid_request_id_is_replaced(client: AsyncClient, given: str) -> None:
    first, second = [(await client.get("/health/live", headers={"X-Request-ID": given})) for _ in range(2)]

    assert len(first.headers["x-request-id"]) == 32
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


async def test_unexpected_error_has_a_request_id(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.passwords, "verify", None)

    response = await world.login("arthur@camelot.example.com")

    assert (response.status_code, len(response.headers["x-request-id"])) == (500, 32)


async def test_other_asgi_messages_pass_through() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        seen.append(scope)

    scope: Scope = {"type": "lifespan"}
    await AccessLog(app)(scope, AsyncMock(), AsyncMock())

    assert seen == [scope]


def test_development_app_has_the_same_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    configured: list[dict[str, Any]] = []
    monkeypatch.setattr(dev, "dictConfig", configured.append)

    assert isinstance(dev.create_app(), FastAPI)
    assert "accounts" in configured[0]["loggers"]
