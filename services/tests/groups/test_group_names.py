"""Names of public groups are unique, ignoring letter case and what cannot be seen.

Names of private groups are not: a conflict would reveal one.
"""

import asyncio
from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy.exc import IntegrityError

from accounts.db.session import transaction
from accounts.domain.groups.groups import GroupManager
from accounts.schemas.groups import GroupCreate
from support.people import World

TAKEN = (409, "GROUP_NAME_TAKEN")


@pytest.fixture
async def arthur(world: World) -> dict[str, str]:
    return await world.sign_in(await world.user("arthur"))


async def create(client: AsyncClient, headers: dict[str, str], name: str, visibility: str) -> tuple[int, Any]:
    """Create a group, and return the status, and the id or the error code."""
    answer = await client.post("/user-groups", json={"name": name, "visibility": visibility}, headers=headers)
    return answer.status_code, answer.json().get("id") or answer.json()["detail"]


async def update(client: AsyncClient, headers: dict[str, str], group_id: int, **body: str) -> tuple[int, Any]:
    answer = await client.patch(f"/user-groups/{group_id}", json=body, headers=headers)
    return answer.status_code, answer.json().get("detail")


@pytest.mark.parametrize(
    "name",
    [
        "Straße 7",
        "STRA\N{LATIN CAPITAL LETTER SHARP S}E 7",
        "STRASSE 7",
        " straße 7 ",
        "straße 7\u200b",
        "\u3164straße\u00ad 7",
        "str\u200da\ufe0fße 7",
        "straße 7\U000e0100",
        "straße\u2800\u00a0 7",
        "\uff33traße \uff17",
    ],
    ids=ascii,
)
async def test_public_name_is_taken_by_all_that_look_like_it(
    client: AsyncClient, world: World, arthur: dict[str, str], name: str
) -> None:
    await create(client, arthur, "straße 7", "public")
    mordred = await world.sign_in(await world.user("mordred"))

    assert await create(client, mordred, name, "public") == TAKEN


@pytest.mark.parametrize("name", ["Chess Club", "Chess \u2764", "Chess\u200d\u2764\ufe0f", "\u0441hess", "Chess."])
async def test_public_name_that_looks_different_is_free(client: AsyncClient, arthur: dict[str, str], name: str) -> None:
    await create(client, arthur, "Chess", "public")
    await create(client, arthur, "ChessClub", "public")

    status, _ = await create(client, arthur, name, "public")

    assert status == 201


async def test_group_cannot_be_renamed_or_published_under_a_taken_name(
    client: AsyncClient, arthur: dict[str, str]
) -> None:
    await create(client, arthur, "Round Table", "public")
    _, other = await create(client, arthur, "Other", "public")
    _, hidden = await create(client, arthur, "round TABLE", "private")

    assert await update(client, arthur, other, name="ROUND table") == TAKEN
    assert await update(client, arthur, hidden, visibility="public") == TAKEN
    assert await update(client, arthur, other, name="OTHER") == (200, None)
    assert await update(client, arthur, hidden, visibility="public", name="Free") == (200, None)


async def test_private_name_can_be_used_by_everyone(client: AsyncClient, world: World, arthur: dict[str, str]) -> None:
    """A conflict would reveal that there is such a group."""
    mordred = await world.sign_in(await world.user("mordred"))
    assert (await create(client, arthur, "Secret", "private"))[0] == 201

    assert (await create(client, mordred, "secret", "private"))[0] == 201
    assert (await create(client, arthur, "Secret", "private"))[0] == 201
    status, public = await create(client, mordred, "SECRET", "public")
    assert status == 201
    assert await update(client, mordred, public, visibility="private") == (200, None)


async def test_name_of_a_deleted_or_hidden_group_can_be_used_again(client: AsyncClient, arthur: dict[str, str]) -> None:
    _, group = await create(client, arthur, "Table", "public")
    assert await update(client, arthur, group, visibility="private") == (200, None)
    _, second = await create(client, arthur, "Table", "public")
    await client.delete(f"/user-groups/{second}", headers=arthur)

    assert await update(client, arthur, group, visibility="public") == (200, None)


async def test_one_of_twenty_concurrent_requests_gets_the_name(busy_world: World) -> None:
    arthur = await busy_world.sign_in(await busy_world.user("arthur"))
    names = ["table", "TABLE", "Table", "tAbLe"] * 5

    answers = await asyncio.gather(*(create(busy_world.client, arthur, name, "public") for name in names))

    assert sorted(status for status, _ in answers) == [201] + [409] * 19


async def test_one_of_a_concurrent_publish_and_rename_gets_the_name(busy_world: World) -> None:
    client, arthur = busy_world.client, await busy_world.sign_in(await busy_world.user("arthur"))
    _, hidden = await create(client, arthur, "Table", "private")
    _, other = await create(client, arthur, "Other", "public")

    answers = await asyncio.gather(
        update(client, arthur, hidden, visibility="public"), update(client, arthur, other, name="TABLE")
    )

    assert sorted(status for status, _ in answers) == [200, 409]


async def test_conflict_with_another_constraint_is_not_reported_as_a_taken_name(world: World) -> None:
    await world.sql("ALTER TABLE user_group ADD CONSTRAINT other CHECK (name <> 'other')")
    arthur = await world.user("arthur")

    with pytest.raises(IntegrityError):
        async with transaction(world.sessionmaker) as db:
            await GroupManager(db).create(GroupCreate(name="other"), arthur)
