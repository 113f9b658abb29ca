"""Introspection and revocation (RFC 7662, RFC 7009), by service accounts and of their tokens."""

from typing import Any

import pytest
from httpx2 import Response

from support.service_accounts import Squire, basic


def bare(headers: dict[str, str]) -> str:
    return headers["Authorization"].removeprefix("Bearer ")


async def introspect(squire: Squire, headers: dict[str, str], of: dict[str, str], **form: Any) -> Response:
    return await squire.world.client.post("/oauth/introspect", data={"token": bare(of)} | form, headers=headers)


@pytest.fixture
async def by_secret(squire: Squire) -> dict[str, str]:
    secret = await squire.secret("introspect")
    return basic(secret["client_id"], secret["client_secret"])


async def test_secret_by_http_basic_may_ask_about_the_token_of_a_person(
    squire: Squire, by_secret: dict[str, str]
) -> None:
    response = await introspect(squire, by_secret, squire.headers["arthur"], group=squire.group.id)

    assert (response.json()["sub"], response.json()["group_role"]) == (str(squire.people["arthur"].id), "owner")


async def test_access_token_of_a_service_account_may_ask(squire: Squire) -> None:
    token = await squire.sign_in(await squire.secret("introspect"))

    assert (await introspect(squire, token, squire.headers["arthur"])).json()["active"]


async def test_secret_without_the_scope_may_not_ask(squire: Squire) -> None:
    secret = await squire.secret("members:read")
    header = basic(secret["client_id"], secret["client_secret"])

    response = await introspect(squire, header, squire.headers["arthur"])

    assert (response.status_code, response.json()["error"]) == (403, "insufficient_scope")


@pytest.mark.parametrize("header", [basic("x", "y"), {"Authorization": "basic !"}])
async def test_wrong_secret_learns_nothing(squire: Squire, header: dict[str, str]) -> None:
    response = await introspect(squire, header, squire.headers["arthur"])

    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert response.headers["WWW-Authenticate"] == 'Basic realm="accounts"'


async def test_token_of_a_service_account_says_its_client_and_ends_with_the_secret(
    squire: Squire, by_secret: dict[str, str]
) -> None:
    secret = await squire.secret("members:read")
    token = await squire.sign_in(secret)

    told = (await introspect(squire, by_secret, token)).json()
    await squire.ask("DELETE", f"/{squire.id}/secrets/{secret['id']}")

    assert (told["sub"], told["client_id"], told["scope"]) == (squire.id, squire.id, "members:read")
    assert told["acr"] == "aal1"
    assert told.keys().isdisjoint({"auth_time", "amr"})
    assert (await introspect(squire, by_secret, token)).json() == {"active": False}


async def test_program_can_end_its_token(squire: Squire) -> None:
    token = await squire.sign_in(await squire.secret("profile:read"))

    ended = await squire.world.client.post("/oauth/revoke", data={"token": bare(token)})

    assert ended.status_code == 200
    assert (await squire.world.client.get("/users/me", headers=token)).status_code == 401
