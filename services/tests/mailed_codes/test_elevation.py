"""A mailed code renews the authentication of a session: for users who have no password to give."""

import pytest

from accounts.models import User
from support.mailed_codes import WRONG, Codes
from support.people import World

ARTHUR = "arthur@camelot.example.com"
TOKEN = {"name": "nightly report", "scopes": ["groups:read"], "expires_in_days": 90}


@pytest.fixture
def codes(world: World) -> Codes:
    return Codes(world)


@pytest.fixture
async def headers(codes: Codes) -> dict[str, str]:
    """A session of Arthur, who has no password, that is no longer recent."""
    await codes.world.user("arthur", is_verified=True, hashed_password="!")
    answer = await codes.send(*await codes.requested(ARTHUR))
    await codes.world.sql("UPDATE user_session SET authenticated_at = now() - interval '1 day'")
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def elevate(codes: Codes, headers: dict[str, str], token: str, code: str) -> tuple[int, str]:
    body = {"mailed_code": {"code_token": token, "code": code}}
    answer = await codes.world.client.post("/auth/elevate", headers=headers, json=body)
    return answer.status_code, answer.text and answer.json()["detail"]


async def creates_token(codes: Codes, headers: dict[str, str]) -> int:
    return (await codes.world.client.post("/users/me/tokens", headers=headers, json=TOKEN)).status_code


async def test_code_allows_sensitive_operations_again(codes: Codes, headers: dict[str, str]) -> None:
    before = await creates_token(codes, headers)

    assert await elevate(codes, headers, *await codes.requested(ARTHUR)) == (204, "")
    assert (before, await creates_token(codes, headers)) == (403, 201)


async def test_wrong_code_and_code_of_another_user_are_refused(codes: Codes, headers: dict[str, str]) -> None:
    guinevere: User = await codes.world.user("guinevere", is_verified=True)
    token, code = await codes.requested(guinevere.email)

    assert await elevate(codes, headers, await codes.request(ARTHUR), WRONG) == (400, "LOGIN_BAD_CODE")
    assert await elevate(codes, headers, token, code) == (400, "LOGIN_BAD_CODE")
    assert await creates_token(codes, headers) == 403


async def test_code_does_not_replace_a_second_factor(codes: Codes, headers: dict[str, str]) -> None:
    token, code = await codes.requested(ARTHUR)
    await codes.world.sql("UPDATE \"user\" SET second_factors = '{totp}'")

    assert await elevate(codes, headers, token, code) == (403, "REAUTHENTICATION_REQUIRED")


async def test_code_is_refused_where_the_setting_does_not_allow_it(codes: Codes, headers: dict[str, str]) -> None:
    token, code = await codes.requested(ARTHUR)
    codes.world.change_settings(sign_in_by_code=False)

    assert await elevate(codes, headers, token, code) == (403, "SIGN_IN_BY_CODE_DISABLED")
