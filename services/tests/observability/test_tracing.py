"""Traces as a collector receives them: requests with all their statements, without personal data."""

import asyncio
import io
import json
import logging
from typing import Any

import pytest
from asyncpg import UndefinedTableError
from httpx2 import AsyncClient

from accounts.observability import logs
from accounts.settings import Settings
from conftest import execute
from support.otlp import Collector, attributes, collecting, traced
from support.people import PASSWORD

ARTHUR = "arthur@camelot.example.com"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def token(client: AsyncClient) -> str:
    await client.post("/auth/register", json={"email": ARTHUR, "password": PASSWORD})
    answer = await client.post("/auth/jwt/login", data={"username": ARTHUR, "password": PASSWORD})
    found: str = answer.json()["access_token"]
    return found


@pytest.fixture
def lines() -> Any:
    """The log of requests, as it is in production."""
    stream, log = io.StringIO(), logging.getLogger(logs.REQUESTS)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.RequestLine())
    log.addHandler(handler)
    level = log.level
    log.setLevel("INFO")
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    log.removeHandler(handler)
    log.setLevel(level)


def statements(collector: Collector, name: str) -> list[str]:
    [request] = collector.named(name)
    return [attributes(each)["db.statement"] for each in collector.below(request)]


async def test_request_span_has_its_statements_and_its_trace_id_is_logged(
    fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch, lines: Any
) -> None:
    with collecting() as collector:
        async with traced(fresh_settings, monkeypatch, collector.url) as client:
            headers = {"Authorization": f"Bearer {await token(client)}"}
            await client.get("/users/me", headers=headers | {"traceparent": PARENT})
            await client.get("/users/me/tokens", headers=headers)
            await client.get("/health/live")

    [me] = collector.named("GET /users/me")
    assert me.trace_id.hex() == PARENT.split("-")[1]
    assert attributes(me)["http.route"] == "/users/me"
    [read] = collector.below(me)  # straight on the driver
    assert read.parent_span_id == me.span_id
    assert read.end_time_unix_nano > read.start_time_unix_nano
    assert "row_to_json" in attributes(read)["db.statement"]
    assert sum("FROM access_key" in each for each in statements(collector, "GET /users/me/tokens")) == 1  # by the ORM
    assert any("INSERT INTO throttle" in each for each in statements(collector, "POST /auth/jwt/login"))
    assert not collector.named("GET /health/live")
    trace_ids = {line["route"]: line.get("trace_id") for line in lines()}
    assert trace_ids["/users/me"] == me.trace_id.hex()
    assert trace_ids["/health/live"] is None


async def test_spans_contain_no_user_input(fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector:
        async with traced(fresh_settings, monkeypatch, collector.url) as client:
            secret = await token(client)
            headers = {"Authorization": f"Bearer {secret}", "User-Agent": "excalibur", "Cookie": "a=excalibur"}
            await client.get("/user-groups/1/users?q=excalibur", headers=headers)
            await client.get("/account/verify?token=excalibur", headers=headers)
            await client.get("/excalibur/x@y.example", headers=headers)
            await client.request("EXCALIBUR", "/users/me", headers=headers)
            await client.post("/auth/register", json={"email": ARTHUR, "password": PASSWORD})  # which is taken
            await client.post("/auth/forgot-password", json={"email": ARTHUR})

    sent = b"".join(collector.bodies).lower()
    assert len(collector.spans()) > 20
    for each in (ARTHUR.encode(), b"camelot", PASSWORD.encode(), secret.lower().encode(), b"excalibur", b"y.example"):
        assert each not in sent
    failed = [span for span in collector.spans() if span.status.code == span.status.STATUS_CODE_ERROR]
    assert failed  # the index that refuses an address, whose message would quote it


async def test_statement_that_fails_on_the_driver_is_an_error_span(
    fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collecting() as collector:
        async with traced(fresh_settings, monkeypatch, collector.url) as client:
            secret = await token(client)
            gone = "ALTER TABLE user_session RENAME TO gone"
            await asyncio.to_thread(execute, gone, str(fresh_settings.database.database))
            with pytest.raises(UndefinedTableError):
                await client.get("/users/me", headers={"Authorization": f"Bearer {secret}"})
            await asyncio.sleep(0)  # the driver tells of it by the loop

    [failed] = collector.below(collector.named("GET /users/me")[0])
    assert failed.status.code == failed.status.STATUS_CODE_ERROR
    assert attributes(failed)["error.type"] == "UndefinedTableError"
