"""The user's groups in access tokens: on request only, with a limit, and current at each refresh."""

from typing import Any

import jwt
import pytest

from accounts.models import Role, User
from support.people import PASSWORD, World
from support.schema import recorded_statements


async def sign_in(world: World, user: User, scope: str) -> dict[str, Any]:
    form = {"username": user.email, "password": PASSWORD, "scope": scope}
    response = await world.client.post("/auth/jwt/login", data=form)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def claims(tokens: dict[str, Any]) -> dict[str, Any]:
    return jwt.decode(tokens["access_token"], options={"verify_signature": False})


async def test_token_names_groups_and_roles_on_request(world: World) -> None:
    arthur = await world.user("arthur")
    table = await world.group("Round Table", members={arthur: Role.OWNER})
    camelot = await world.group("Camelot", members={arthur: Role.MEMBER})
    await world.group("Avalon", members={await world.user("morgan"): Role.OWNER})

    tokens = await sign_in(world, arthur, "groups")

    assert claims(tokens)["groups"] == {str(table.id): "owner", str(camelot.id): "member"}
    assert claims(tokens)["scope"] == tokens["scope"] == "account groups"


@pytest.mark.parametrize("scope", ["", "account", " account "])
async def test_token_names_no_groups_without_request(world: World, scope: str) -> None:
    arthur = await world.user("arthur")
    await world.group("Round Table", members={arthur: Role.OWNER})

    tokens = await sign_in(world, arthur, scope)

    assert "groups" not in claims(tokens)
    assert claims(tokens)["scope"] == tokens["scope"] == "account"


async def test_user_without_groups_has_an_empty_claim(world: World) -> None:
    assert claims(await sign_in(world, await world.user("arthur"), "account groups"))["groups"] == {}


async def test_refresh_keeps_the_scope_and_reads_the_groups_again(world: World) -> None:
    arthur = await world.user("arthur")
    table = await world.group("Round Table", members={arthur: Role.OWNER})
    asked, silent = await sign_in(world, arthur, "groups"), await sign_in(world, arthur, "")
    await world.sql("UPDATE membership SET role = 'member'")

    refreshed = (await world.client.post("/auth/jwt/refresh", data=asked)).json()
    others = (await world.client.post("/auth/jwt/refresh", data=silent)).json()

    assert claims(refreshed)["groups"] == {str(table.id): "member"}
    assert refreshed["scope"] == "account groups"
    assert "groups" not in claims(others)


async def test_more_groups_than_fit_are_marked_and_not_named(world: World) -> None:
    arthur = await world.user("arthur")
    for number in range(50):
        await world.group(f"Group {number}", members={arthur: Role.MEMBER})
    assert len(claims(await sign_in(world, arthur, "groups"))["groups"]) == 50

    await world.group("One more", members={arthur: Role.MEMBER})
    tokens = await sign_in(world, arthur, "groups")

    assert claims(tokens)["groups_overage"] is True
    assert "groups" not in claims(tokens)
    assert len(tokens["access_token"]) < 1000


async def test_longest_token_fits_into_a_header(world: World) -> None:
    arthur = await world.user("arthur")
    await world.sql("ALTER TABLE user_group ALTER COLUMN id RESTART WITH 9000000000000000000")
    for number in range(50):
        await world.group(f"Group {number}", members={arthur: Role.MEMBER})

    tokens = await sign_in(world, arthur, "groups")

    assert len(claims(tokens)["groups"]) == 50
    assert len(tokens["access_token"]) < 4096
    assert (
        await world.client.get("/users/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    ).is_success


async def test_session_of_an_earlier_release_is_refreshed_with_the_account_scope(world: World) -> None:
    tokens = await sign_in(world, await world.user("arthur"), "")
    await world.sql("UPDATE user_session SET scopes = '{}'")

    refreshed = (await world.client.post("/auth/jwt/refresh", data=tokens)).json()

    assert claims(refreshed)["scope"] == refreshed["scope"] == "account"


async def test_groups_cost_one_statement_for_those_who_ask(world: World) -> None:
    arthur = await world.user("arthur")

    async def statements(tokens: dict[str, Any]) -> list[str]:
        async with world.owner() as db, recorded_statements(db) as ran:
            await world.client.post("/auth/jwt/refresh", data=tokens)
        return [statement for statement, _ in ran]

    silent = await statements(await sign_in(world, arthur, ""))
    asking = await statements(await sign_in(world, arthur, "groups"))

    assert len(asking) == len(silent) + 1
    assert [statement for statement in silent if "membership" in statement] == []
