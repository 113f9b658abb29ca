"""The token endpoints serve OAuth 2.0 clients (RFC 6749, 5.1 and 5.2) and those of FastAPI Users."""

import re
from typing import Any

import pytest
from httpx2 import AsyncClient, Response

from accounts.domain.errors import LoginBadCredentials
from support.people import PASSWORD, World

LOGIN, REFRESH = "/auth/jwt/login", "/auth/jwt/refresh"
DESCRIPTION = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]+")
EMAIL = "arthur@camelot.example.com"


def assert_error(response: Response, status: int, detail: str, error: str) -> None:
    body = response.json()
    assert (response.status_code, body["status"]) == (status, status)
    assert (body["detail"], body["error"]) == (detail, error)
    assert DESCRIPTION.fullmatch(body["error_description"])
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"


async def test_login_and_refresh_return_the_same_members(client: AsyncClient, world: World) -> None:
    await world.user("arthur")
    form = {"grant_type": "password", "username": EMAIL, "password": PASSWORD, "client_id": "any", "scope": ""}

    first = await client.post(LOGIN, data=form)
    second = await client.post(
        REFRESH, data={"grant_type": "refresh_token", "refresh_token": first.json()["refresh_token"]}
    )

    for response in (first, second):
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Content-Type"] == "application/json"
        assert {name: type(value) for name, value in response.json().items()} == {
            "access_token": str, "token_type": str, "expires_in": int, "refresh_token": str, "scope": str,
        }  # fmt: skip


async def test_wrong_password_is_an_invalid_grant(client: AsyncClient, world: World) -> None:
    await world.user("arthur")

    response = await client.post(LOGIN, data={"username": EMAIL, "password": "not-the-password"})

    assert_error(response, 400, "LOGIN_BAD_CREDENTIALS", "invalid_grant")
    assert response.json()["error_description"] == (LoginBadCredentials.__doc__ or "").splitlines()[0]


async def test_unknown_refresh_token_is_an_invalid_grant(client: AsyncClient) -> None:
    response = await client.post(REFRESH, data={"refresh_token": "nonsense"})

    assert_error(response, 400, "REFRESH_BAD_TOKEN", "invalid_grant")


async def test_reused_refresh_token_is_an_invalid_grant(client: AsyncClient, world: World) -> None:
    token = (await world.login(await world.user("arthur"))).json()["refresh_token"]
    await client.post(REFRESH, data={"refresh_token": token})
    await world.sql("UPDATE user_session SET rotated_at = now() - interval '1 minute'")

    response = await client.post(REFRESH, data={"refresh_token": token})

    assert_error(response, 400, "REFRESH_TOKEN_REUSED", "invalid_grant")


@pytest.mark.parametrize(
    ("path", "form", "error", "named"),
    [
        (LOGIN, {}, "invalid_request", "username, password"),
        (LOGIN, {"username": EMAIL}, "invalid_request", "password"),
        (LOGIN, {"username": EMAIL, "password": "x" * 129}, "invalid_request", "password"),
        (REFRESH, {}, "invalid_request", "refresh_token"),
        (LOGIN, {"grant_type": "client_credentials"}, "unsupported_grant_type", "username, password, grant_type"),
        (LOGIN, {"grant_type": "nonsense", "username": EMAIL, "password": "x"}, "unsupported_grant_type", "grant_type"),
        (LOGIN, {"scope": "users:read", "username": EMAIL, "password": "x"}, "invalid_scope", "scope"),
        (LOGIN, {"scope": "groups nonsense", "username": EMAIL, "password": "x"}, "invalid_scope", "scope"),
        (REFRESH, {"grant_type": "password", "refresh_token": "x"}, "unsupported_grant_type", "grant_type"),
        (LOGIN, {"username": [EMAIL, EMAIL], "password": ["x"]}, "invalid_request", "username"),
        (LOGIN, {"scope": ["a", "b"], "username": EMAIL, "password": "x"}, "invalid_request", "scope"),
        (REFRESH, {"refresh_token": ["x", "x"]}, "invalid_request", "refresh_token"),
    ],
)
async def test_malformed_request_names_each_invalid_parameter_once(
    client: AsyncClient, path: str, form: dict[str, Any], error: str, named: str
) -> None:
    response = await client.post(path, data=form)

    assert_error(response, 400, "REQUEST_INVALID", error)
    assert response.json()["error_description"] == f"Missing or invalid: {named}"
    assert [each["loc"][-1] for each in response.json()["errors"]] == named.split(", ")


async def test_full_hashing_queue_is_temporarily_unavailable(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.passwords.queue, "places", 0)

    response = await world.login(EMAIL)

    assert_error(response, 503, "BUSY", "temporarily_unavailable")
    assert response.headers["Retry-After"] == "2"


async def test_too_many_attempts_are_temporarily_unavailable(world: World) -> None:
    world.change_settings(throttle_scale=0.001)
    await world.login(EMAIL)

    response = await world.login(EMAIL)

    assert_error(response, 429, "TOO_MANY_ATTEMPTS", "temporarily_unavailable")
    assert "RateLimit" in response.headers


async def test_unexpected_error_is_a_server_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def break_down(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(world.passwords, "verify", break_down)

    assert_error(await world.login(EMAIL), 500, "INTERNAL_SERVER_ERROR", "server_error")


async def test_errors_of_other_endpoints_are_problem_details_only(client: AsyncClient) -> None:
    responses = [
        await client.get("/users/me"),
        await client.post("/auth/register", json={}),
        await client.post("/auth/cookie/login", data={}),
    ]

    assert {response.headers["Content-Type"] for response in responses} == {"application/problem+json"}
    assert not any("error" in response.json() for response in responses)
