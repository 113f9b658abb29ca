"""Every error is answered with problem details (RFC 9457), which never repeat the input."""

import json
from collections.abc import AsyncIterator

import pytest
from httpx2 import AsyncClient

from accounts.api.problems import STATUS
from accounts.domain import errors
from accounts.domain.groups import group_list
from support.people import PASSWORD, World

MARK = "s3nt-by-the-client"
JSON = {"Content-Type": "application/json"}


def test_every_refusal_has_a_status() -> None:
    assert set(STATUS) == set(errors.Refusal.__subclasses__())


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"x"',
        b"null",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"email": NaN, "password": Infinity}',
        b'{"email": "\\ud800@example.com", "password": "\\udfff\\udfff\\udfff\\udfff\\udfff\\udfff\\udfff"}',
        b'{"email": "a\\u0000@example.com", "password": "guinevere-and-lancelot"}',
        b'{"email": "a\\r\\nBcc: b@example.com", "password": "guinevere-and-lancelot"}',
        b'{"email": "a@example.com", "password": "guinevere-and-lancelot", "display_name": "a\\u0000b"}',
        b'{"email": "a@example.com", "password": "guinevere-and-lancelot", "display_name": "a\\nb"}',
        b'{"email": "a@example.com", "password": ["guinevere-and-lancelot"]}',
        json.dumps({"email": f"{'a' * 2000}@example.com", "password": PASSWORD}).encode(),
        json.dumps({"email": "a@example.com", "password": "x" * 129}).encode(),
        json.dumps({"email": "a@example.com", "password": PASSWORD, "display_name": "x" * 101}).encode(),
    ],
)
async def test_invalid_body_is_unprocessable(client: AsyncClient, body: bytes) -> None:
    response = await client.post("/auth/register", content=body, headers=JSON)

    assert response.status_code == 422, response.text
    assert response.json()["detail"] == "REQUEST_INVALID"
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("body", [b"[" * 50_000, b'{"email": ' + b"9" * 6000 + b"}"])
async def test_unparsable_body_is_a_bad_request(client: AsyncClient, body: bytes) -> None:
    response = await client.post("/auth/register", content=body, headers=JSON)

    assert (response.status_code, response.json()["detail"]) == (400, "BAD_REQUEST")
    assert response.json()["reason"] == "There was an error parsing the body"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/auth/register", {"email": f"{MARK}@{MARK}", "password": [MARK], "display_name": {MARK: MARK}}),
        ("/auth/register", {"email": f"a b {MARK}@example.com", "password": MARK + "x" * 128}),
        ("/auth/register", {"email": "a@example.com", "password": MARK + "\ud800"}),
        ("/auth/reset-password", {"token": f"ü {MARK}", "password": {"old": MARK}}),
        ("/auth/verify", {"token": [MARK]}),
        ("/auth/forgot-password", {"email": MARK}),
        ("/auth/forgot-password", [MARK]),
    ],
)
async def test_problems_never_repeat_values(client: AsyncClient, path: str, body: object) -> None:
    response = await client.post(path, content=json.dumps(body), headers=JSON)

    assert response.status_code == 422
    assert response.json()["errors"]
    assert MARK not in response.text


@pytest.mark.parametrize(
    "form",
    [
        {"username": MARK * 20, "password": MARK},
        {"username": f"{MARK}\0", "password": MARK},
        {"username": "a@example.com", "password": MARK * 20},
        {"username": "a@example.com"},
        {"username": "a@example.com", "password": MARK, "grant_type": MARK},
        {f"field{number}": MARK for number in range(5000)},
    ],
)
async def test_forms_are_validated_like_json(client: AsyncClient, form: dict[str, str]) -> None:
    response = await client.post("/auth/jwt/login", data=form)

    assert response.status_code in {400, 413, 422}
    assert response.json()["detail"]
    assert MARK not in response.text


@pytest.mark.parametrize("path", [f"/users/{MARK}", f"/user-groups/{MARK}", f"/{MARK}"])
async def test_problems_never_repeat_paths(client: AsyncClient, world: World, path: str) -> None:
    headers = await world.sign_in(await world.user("morgana", superuser=True))

    response = await client.get(path, headers=headers)

    assert response.status_code in {404, 422}
    assert MARK not in response.text


async def test_too_large_body_is_refused_before_it_is_read(client: AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x" * 1024

    for content in (b"x" * 1_000_000, endless()):
        response = await client.post("/auth/register", content=content, headers=JSON)
        assert (response.status_code, response.json()["detail"]) == (413, "CONTENT_TOO_LARGE")


async def test_too_large_form_of_a_page_is_refused_with_a_page(client: AsyncClient) -> None:
    async def chunked() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 1024

    response = await client.post(
        "/account/sign-in", content=chunked(), headers={"Content-Type": "application/x-www-form-urlencoded"}
    )

    assert (response.status_code, response.headers["Content-Type"]) == (413, "text/html; charset=utf-8")


async def test_unknown_path_or_method_is_a_problem(client: AsyncClient) -> None:
    missing, trailing, method = [
        await client.get("/nowhere"),
        await client.get("/users/me/"),
        await client.delete("/auth/register"),
    ]

    assert (missing.status_code, missing.json()["detail"]) == (404, "NOT_FOUND")
    assert trailing.status_code == 404  # and no redirect
    assert (method.status_code, method.headers["Allow"]) == (405, "POST")


async def test_wrong_method_is_answered_with_all_allowed_methods(client: AsyncClient) -> None:
    response = await client.post("/users/01999999-9999-7999-8999-999999999999")

    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD, PATCH, DELETE")


async def test_unexpected_error_is_answered_without_details(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_list, "read_group", None)

    response = await client.get("/user-groups/1")

    assert response.status_code == 500
    assert response.json() == {
        "title": "Internal Server Error", "status": 500, "detail": "INTERNAL_SERVER_ERROR",
    }  # fmt: skip


async def test_wrong_sql_statement_is_a_500_and_no_outage(world: World) -> None:
    await world.sql("ALTER TABLE user_group RENAME COLUMN description TO details")

    assert (await world.client.get("/user-groups")).status_code == 500
