"""An access key is worth what the session was that created it: keys and secrets in groups that require level 2."""

from typing import Any

import jwt
import pytest

from accounts.models import Role, Visibility
from support.people import World
from support.second_factors import user_with_app
from support.service_accounts import Squire, squire_of


async def create_token(world: World, headers: dict[str, str]) -> dict[str, Any]:
    body = {"name": "report", "scopes": ["members:read"], "expires_in_days": 1}
    created: dict[str, Any] = (await world.client.post("/users/me/tokens", headers=headers, json=body)).json()
    return created


@pytest.mark.parametrize(("level", "expected"), [(1, 403), (2, 200)])
async def test_personal_token_has_the_level_of_the_session_that_created_it(
    world: World, level: int, expected: int
) -> None:
    arthur = await world.user("arthur")
    group = await world.group("Round Table", Visibility.PRIVATE, members={arthur: Role.OWNER})
    await world.require_second_factor(group)
    headers = await world.sign_in(arthur)
    if level > 1:
        await world.raise_level(arthur)

    created = await create_token(world, headers)
    key = {"Authorization": f"Bearer {created['token']}"}

    for path in (f"/user-groups/{group.id}/users", f"/user-groups/{group.id}/users/export"):  # fast, ordinary
        assert (await world.client.get(path, headers=key)).status_code == expected
    (listed,) = (await world.client.get("/users/me/tokens", headers=headers)).json()
    assert (created["aal"], listed["aal"]) == (level, level)


async def test_key_keeps_its_level_when_the_session_is_raised_later(world: World) -> None:
    arthur = await world.user("arthur")
    headers = await world.sign_in(arthur)
    await create_token(world, headers)
    await world.raise_level(arthur)

    (listed,) = (await world.client.get("/users/me/tokens", headers=headers)).json()

    assert listed["aal"] == 1


async def test_key_has_level_one_once_the_last_factor_is_removed(world: World) -> None:
    phone = await user_with_app(world)
    created = await create_token(world, phone.headers)

    removed = await world.client.request("DELETE", "/users/me/totp", headers=phone.headers)
    (listed,) = (await world.client.get("/users/me/tokens", headers=phone.headers)).json()

    assert removed.status_code == 204
    assert (created["aal"], listed["aal"]) == (2, 1)


async def test_secret_and_its_access_tokens_have_the_level_of_the_session_that_created_it(world: World) -> None:
    squire: Squire = await squire_of(world)
    weak = await squire.secret()
    await world.raise_level(squire.people["arthur"])
    strong = await squire.secret()
    await world.require_second_factor(squire.group)

    path, answers = f"/user-groups/{squire.group.id}/users", []
    for secret in (weak, strong):
        token = await squire.sign_in(secret)
        acr = jwt.decode(token["Authorization"][7:], options={"verify_signature": False})["acr"]
        answers.append(((await world.client.get(path, headers=token)).status_code, secret["aal"], acr))

    assert answers == [(403, 1, "aal1"), (200, 2, "aal2")]
