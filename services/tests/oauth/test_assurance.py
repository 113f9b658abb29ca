"""What other services learn of the assurance level: in tokens, and by introspection."""

from typing import Any

import jwt
import pytest

from accounts.models import Role, User, UserGroup
from support.people import PASSWORD, World


@pytest.fixture
async def arthur(world: World) -> User:
    return await world.user("arthur")


@pytest.fixture
async def group(world: World, arthur: User) -> UserGroup:
    """A group that requires level 2."""
    group = await world.group("Round Table", members={arthur: Role.OWNER})
    await world.require_second_factor(group)
    return group


async def sign_in(world: World, user: User) -> dict[str, Any]:
    form = {"username": user.email, "password": PASSWORD, "scope": "groups"}
    tokens: dict[str, Any] = (await world.client.post("/auth/jwt/login", data=form)).json()
    return tokens


async def introspect(world: World, token: str, group: UserGroup) -> dict[str, Any]:
    form, service = {"token": token, "group": group.id}, await world.sign_in(await world.user("merlin"))
    answer: dict[str, Any] = (await world.client.post("/oauth/introspect", data=form, headers=service)).json()
    return answer


def claims(tokens: dict[str, Any]) -> dict[str, Any]:
    return jwt.decode(tokens["access_token"], options={"verify_signature": False})


async def test_token_names_a_group_only_at_the_level_that_it_requires(
    world: World, arthur: User, group: UserGroup
) -> None:
    open_group = await world.group("Camelot", members={arthur: Role.MEMBER})

    weak = await sign_in(world, arthur)
    await world.raise_level(arthur)
    strong = (await world.client.post("/auth/jwt/refresh", data=weak)).json()

    assert (claims(weak)["acr"], claims(weak)["groups"]) == ("aal1", {str(open_group.id): "member"})
    assert (claims(strong)["acr"], claims(strong)["groups"]) == (
        "aal2",
        {str(group.id): "owner", str(open_group.id): "member"},
    )


async def test_introspection_says_the_role_and_level_of_the_session_as_it_is_now(
    world: World, arthur: User, group: UserGroup
) -> None:
    token = (await sign_in(world, arthur))["access_token"]

    weak = await introspect(world, token, group)
    await world.raise_level(arthur)
    await world.sql("UPDATE user_session SET methods = '{pwd,otp,mfa}' WHERE aal = 2")
    await world.sql("DELETE FROM \"user\" WHERE email LIKE 'merlin%'")
    strong = await introspect(world, token, group)

    assert (weak["group_role"], weak["acr"], weak["amr"]) == (None, "aal1", ["pwd"])
    assert (strong["group_role"], strong["acr"], strong["amr"]) == ("owner", "aal2", ["pwd", "otp", "mfa"])


async def test_introspection_of_an_access_key_says_its_level(world: World, arthur: User, group: UserGroup) -> None:
    key = (await world.access_key(arthur, "groups:read"))["Authorization"][7:]

    weak = await introspect(world, key, group)
    await world.sql("UPDATE access_key SET aal = 2")
    await world.sql("DELETE FROM \"user\" WHERE email LIKE 'merlin%'")
    strong = await introspect(world, key, group)

    assert (weak["group_role"], weak["acr"]) == (None, "aal1")
    assert (strong["group_role"], strong["acr"]) == ("owner", "aal2")
    assert "level" not in strong
