"""Whom a group would lock out by requiring a second factor: counted and listed for its admins."""

from typing import Any

import pytest
from sqlmodel import update

from accounts.db.session import transaction
from accounts.models import AccessKey
from support.people import World
from support.service_accounts import Squire, squire_of


@pytest.fixture
async def squire(world: World) -> Squire:
    """Arthur has a second factor; Kay and Bors have none."""
    squire = await squire_of(world)
    async with transaction(world.sessionmaker) as db:
        db.add(arthur := await db.merge(squire.people["arthur"]))
        arthur.second_factors = ["totp"]
    await world.raise_level(arthur)
    return squire


async def members(squire: Squire, who: str, **query: Any) -> list[dict[str, Any]]:
    path = f"/user-groups/{squire.group.id}/users"
    response = await squire.world.client.get(path, headers=squire.headers[who], params=query)
    listed: list[dict[str, Any]] = response.json()
    return listed


async def assurance(squire: Squire) -> dict[str, Any]:
    path = f"/user-groups/{squire.group.id}/assurance"
    counts: dict[str, Any] = (await squire.world.client.get(path, headers=squire.headers["kay"])).json()
    return counts


async def test_admin_sees_who_has_a_second_factor_and_how_many_have_none(squire: Squire) -> None:
    shown = {member["display_name"]: member["second_factor"] for member in await members(squire, "kay")}

    assert shown == {"Arthur": True, "Kay": False, "Bors": False, "Squire": None}
    assert await assurance(squire) == {"required_aal": 1, "users_locked_out": 2, "service_accounts_locked_out": 0}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"second_factor": False}, ["Kay", "Bors"]),
        ({"second_factor": True}, ["Arthur"]),
        ({"second_factor": False, "role": "admin"}, ["Kay"]),
        ({"second_factor": False, "name": "b"}, ["Bors"]),
        ({"second_factor": True, "email": "a"}, ["Arthur"]),
    ],
    ids=str,
)
async def test_list_is_filtered_by_second_factor(squire: Squire, query: dict[str, Any], found: list[str]) -> None:
    assert [member["display_name"] for member in await members(squire, "kay", **query)] == found


async def test_ordinary_member_does_not_see_who_has_a_second_factor(squire: Squire) -> None:
    assert [member for member in await members(squire, "bors") if "second_factor" in member] == []


async def test_service_account_is_locked_out_while_a_usable_secret_is_of_level_1(squire: Squire) -> None:
    strong = await squire.secret()
    counts = [(await assurance(squire))["service_accounts_locked_out"]]
    async with transaction(squire.world.sessionmaker) as db:
        await db.exec(update(AccessKey).values(aal=1))
    counts.append((await assurance(squire))["service_accounts_locked_out"])
    await squire.world.sql("UPDATE access_key SET expires_at = now() - interval '1 day'")
    counts.append((await assurance(squire))["service_accounts_locked_out"])

    assert strong["aal"] == 2
    assert counts == [0, 1, 0]
