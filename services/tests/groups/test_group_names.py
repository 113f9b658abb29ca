"""Names of public groups are unique, in whatever letter case; a private name is nobody else's business."""

import asyncio
from typing import Any

import pytest
from httpx2 import AsyncClient

from support.people import World

TAKEN = (409, "GROUP_NAME_TAKEN")


@pytest.fixture
async def arthur(world: World) -> dict[str, str]:
    return await world.sign_in(await world.user("arthur"))


async def make(client: AsyncClient, headers: dict[str, str], name: str, visibility: str) -> tuple[int, Any]:
    """Give the status, and the id or the code."""
    answer = await client.post("/user-groups", json={"name": name, "visibility": visibility}, headers=headers)
    return answer.status_code, answer.json().get("id") or answer.json()["detail"]


async def change(client: AsyncClient, headers: dict[str, str], group_id: int, **body: str) -> tuple[int, Any]:
    answer = await client.patch(f"/user-groups/{group_id}", json=body, headers=headers)
    return answer.status_code, answer.json().get("detail")


@pytest.mark.parametrize("name", ["Straße", "STRA\N{LATIN CAPITAL LETTER SHARP S}E", " straße "])
async def test_a_public_one_is_taken_in_any_letter_case(
    client: AsyncClient, world: World, arthur: dict[str, str], name: str
) -> None:
    await make(client, arthur, "straße", "public")
    mordred = await world.sign_in(await world.user("mordred"))

    assert await make(client, mordred, name, "public") == TAKEN


async def test_a_public_one_is_taken_for_renaming_and_publishing(client: AsyncClient, arthur: dict[str, str]) -> None:
    await make(client, arthur, "Round Table", "public")
    _, other = await make(client, arthur, "Other", "public")
    _, hidden = await make(client, arthur, "round TABLE", "private")

    assert await change(client, arthur, other, name="ROUND table") == TAKEN
    assert await change(client, arthur, hidden, visibility="public") == TAKEN
    assert await change(client, arthur, other, name="OTHER") == (200, None)
    assert await change(client, arthur, hidden, visibility="public", name="Free") == (200, None)


async def test_a_private_one_is_free_for_everybody(client: AsyncClient, world: World, arthur: dict[str, str]) -> None:
    """A conflict would tell that there is such a group."""
    mordred = await world.sign_in(await world.user("mordred"))
    assert (await make(client, arthur, "Secret", "private"))[0] == 201

    assert (await make(client, mordred, "secret", "private"))[0] == 201
    assert (await make(client, arthur, "Secret", "private"))[0] == 201
    status, public = await make(client, mordred, "SECRET", "public")
    assert status == 201
    assert await change(client, mordred, public, visibility="private") == (200, None)


async def test_a_name_is_free_again(client: AsyncClient, arthur: dict[str, str]) -> None:
    _, group = await make(client, arthur, "Table", "public")
    assert await change(client, arthur, group, visibility="private") == (200, None)
    _, second = await make(client, arthur, "Table", "public")
    await client.delete(f"/user-groups/{second}", headers=arthur)

    assert await change(client, arthur, group, visibility="public") == (200, None)


async def test_of_twenty_who_want_it_at_once_one_gets_it(busy_world: World) -> None:
    arthur = await busy_world.sign_in(await busy_world.user("arthur"))
    names = ["table", "TABLE", "Table", "tAbLe"] * 5

    answers = await asyncio.gather(*(make(busy_world.client, arthur, name, "public") for name in names))

    assert sorted(status for status, _ in answers) == [201] + [409] * 19


async def test_of_two_who_publish_and_rename_at_once_one_gets_it(busy_world: World) -> None:
    client, arthur = busy_world.client, await busy_world.sign_in(await busy_world.user("arthur"))
    _, hidden = await make(client, arthur, "Table", "private")
    _, other = await make(client, arthur, "Other", "public")

    answers = await asyncio.gather(
        change(client, arthur, hidden, visibility="public"), change(client, arthur, other, name="TABLE")
    )

    assert sorted(status for status, _ in answers) == [200, 409]
