"""The challenge of a 401 (RFC 6750, 3): with ``invalid_token`` if a token was sent, alone without one."""

import pytest

from support.operations import Operation, name_of, operations
from support.people import World

AUTHENTICATED = [each for each in operations() if each.needs_user and "401" in each.description["responses"]]
TAKE_BASIC = {"/oauth/introspect"}
BAD_TOKEN = 'Bearer error="invalid_token", error_description="The access token is invalid, expired or revoked"'


@pytest.mark.parametrize("operation", AUTHENTICATED, ids=name_of)
async def test_challenge_says_whether_a_token_was_refused(world: World, operation: Operation) -> None:
    revoked = await world.sign_in(await world.user("arthur"))
    expired = await world.sign_in("arthur@camelot.example.com")
    await world.client.post("/auth/jwt/logout", headers=revoked)
    await world.sql("UPDATE user_session SET expires_at = now() - interval '1 minute'")

    basic = () if operation.path in TAKE_BASIC else ({"Authorization": "Basic YTpi"},)
    for headers in ({}, *basic, {"Cookie": "__Host-accounts=x"}):
        response = await world.client.request(operation.method, operation.url, headers=headers)
        assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer"), headers
    for headers in (revoked, expired, {"Authorization": "bearer nonsense"}):
        response = await world.client.request(operation.method, operation.url, headers=headers)
        assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, BAD_TOKEN), headers


def test_walk_finds_ordinary_and_fast_routes() -> None:
    assert {"get /users/me", "patch /users/me", "get /audit"} <= set(map(name_of, AUTHENTICATED))
