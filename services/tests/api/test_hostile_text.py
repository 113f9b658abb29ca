"""Text that is made to take long: no field and no header costs more than linear time, or ends in a server error."""

import time
from typing import Any

import pytest

from accounts.observability.logs import SENSITIVE
from support.operations import name_of, text_fields
from support.people import PASSWORD, World

SECONDS = 1.0  # of processor time; what is quadratic takes several
MARKS = "a" + "\u0301\u0327" * 15_000  # 60 KB of UTF-8, and quadratic to normalise
HEADERS = (
    "Accept",
    "Accept-Language",
    "Authorization",
    "Content-Type",
    "Cookie",
    "Origin",
    "User-Agent",
    "X-Request-ID",
)
HOSTILE = (
    "http://[",
    "http://[!.!" + ".!" * 14_000,
    "a-" * 15_000,
    "x," * 15_000,
    "=" * 30_000,
    "@" * 30_000,
    "\xff" * 100,
)


FIELDS = list(text_fields())


def test_walk_finds_the_text_fields() -> None:
    found = {(name_of(operation), where, name) for operation, where, name in FIELDS}
    assert ("post /auth/register", "json", "password") in found
    assert ("post /auth/jwt/login", "data", "username") in found
    assert ("post /account/register", "data", "display_name") in found
    assert ("get /user-groups", "query", "name") in found
    assert len(FIELDS) > 50


@pytest.mark.parametrize("where", ["json", "data", "query", "header"])
async def test_no_text_field_costs_more_than_linear_time(world: World, where: str) -> None:
    headers = await world.sign_in(await world.user("morgana", superuser=True))
    for operation, _, name in [field for field in FIELDS if field[1] == where]:
        text = MARKS if where in {"json", "data"} else MARKS[:5000]
        content: dict[str, Any] = {"params" if where == "query" else where: {name: text}}
        if where == "header":
            content = {"headers": {name: text.encode()}}
        started = time.process_time()

        response = await world.client.request(operation.method, operation.url, **{"headers": headers} | content)

        assert response.status_code < 500, (operation, name, response.text)
        assert time.process_time() - started < SECONDS, (operation, name)


@pytest.mark.parametrize("header", HEADERS)
async def test_no_header_costs_more_than_linear_time_or_fails(world: World, header: str) -> None:
    for value in HOSTILE:
        for method, path in (("POST", "/auth/cookie/login"), ("GET", "/account/nope"), ("PATCH", "/users/me")):
            headers = [(b"Cookie", b"__Host-accounts=x"), (header.encode(), value.encode("latin-1"))]
            started = time.process_time()

            response = await world.client.request(method, path, headers=headers)

            assert response.status_code < 500, (method, path, value[:20], response.text)
            assert time.process_time() - started < SECONDS, (method, path, value[:20])


@pytest.mark.parametrize("text", [*HOSTILE, MARKS, "a@" * 15_000, "-" * 30_000, "a " * 15_000])
def test_log_filter_takes_linear_time(text: str) -> None:
    started = time.process_time()
    SENSITIVE.sub("…", text)
    assert time.process_time() - started < SECONDS


@pytest.mark.parametrize(("marks", "status"), [(30, 201), (31, 422)])
async def test_text_may_have_thirty_combining_marks_in_a_row(world: World, marks: int, status: int) -> None:
    password = f"{PASSWORD} o" + "\u0327" * marks

    response = await world.client.post("/auth/register", json={"email": "a@example.com", "password": password})

    assert response.status_code == status
    if status == 422:
        assert response.json()["errors"][0]["type"] == "combining_marks"
