"""The export of a group's members, as CSV and as JSON."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx2 import AsyncClient

from accounts.api import downloads
from accounts.domain.errors import GroupNotFound
from accounts.models import Role, User, UserGroup
from support.member_files import DOMAIN, export_members, rows_of, user_named
from support.people import World


async def test_export_is_csv_with_a_header_line(world: World, knights: UserGroup, arthur: User) -> None:
    response = await export_members(world, knights, arthur)

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert response.headers["content-disposition"] == f'attachment; filename="group-{knights.id}-members.csv"'
    assert response.headers["cache-control"] == "no-store"
    lines = response.text.split("\r\n")
    assert lines[0] == "user_id,email,display_name,role,joined_at"
    assert lines[1].startswith(f"{arthur.id},arthur@{DOMAIN},Arthur,owner,20")
    assert lines[1].endswith("Z")
    assert len(lines) == 5


async def test_export_as_json_has_the_same_rows(world: World, knights: UserGroup, arthur: User) -> None:
    table = rows_of(await export_members(world, knights, arthur))

    response = await export_members(world, knights, arthur, format="json")

    assert response.headers["content-type"] == "application/json"
    assert response.json() == table


async def test_export_reads_all_pages(
    world: World, knights: UserGroup, arthur: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rows in (1, 2, 3):
        monkeypatch.setattr(downloads, "BATCH_ROWS", rows)
        names = [row["display_name"] for row in rows_of(await export_members(world, knights, arthur))]
        assert names == ["Arthur", "Bors", "Galahad"]


async def test_export_escapes_formulas_in_csv_only(world: World, knights: UserGroup, arthur: User) -> None:
    shown = {
        'Bors, "the younger"': 'Bors, "the younger"', "=1+1": "'=1+1", "'=1": "''=1", "-1": "'-1", "@a": "'@a",
        "\uff1d1": "'\uff1d1", "'t Hooft": "'t Hooft",
    }  # fmt: skip
    for number, name in enumerate(shown):
        user = await world.user(f"+{number}", display_name=name)
        await world.join(knights.id, user, Role.MEMBER)

    rows = rows_of(await export_members(world, knights, arthur))
    names = {each["display_name"] for each in (await export_members(world, knights, arthur, format="json")).json()}

    assert {row["display_name"] for row in rows} >= set(shown.values())
    assert {row["email"][:2] for row in rows} == {"'+", "ar", "bo", "ga"}
    assert names >= set(shown)


async def test_export_requires_an_admin(world: World, knights: UserGroup) -> None:
    bors, stranger = await user_named(world, "bors"), await world.user("mordred")
    open_group = await world.group("Open")

    assert (await export_members(world, knights, bors)).json()["detail"] == "GROUP_FORBIDDEN"
    assert (await export_members(world, knights, stranger)).json()["detail"] == "GROUP_NOT_FOUND"
    assert (await export_members(world, open_group, stranger)).status_code == 403
    assert (await world.client.get(f"/user-groups/{open_group.id}/users/export")).status_code == 401
    assert (await export_members(world, knights, await world.user("morgana", superuser=True))).status_code == 200


async def test_export_in_an_unknown_format_is_rejected(world: World, knights: UserGroup, arthur: User) -> None:
    assert (await export_members(world, knights, arthur, format="xml")).status_code == 422


async def test_export_breaks_off_if_the_group_is_deleted_meanwhile(
    world: World, knights: UserGroup, arthur: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The export would look complete otherwise."""
    monkeypatch.setattr(downloads, "BATCH_ROWS", 1)
    monkeypatch.setattr(downloads, "CHUNK_BYTES", 1)
    headers = await world.sign_in(arthur)
    pages = downloads.every_page

    async def interrupted(*args: Any) -> AsyncIterator[Any]:
        async for rows in pages(*args):
            yield rows
            await world.sql("DELETE FROM user_group")

    monkeypatch.setattr("accounts.api.routes.groups.member_files.every_page", interrupted)
    with pytest.raises(RuntimeError, match="already started") as raised:
        await raising(world).get(f"/user-groups/{knights.id}/users/export", headers=headers)
    assert isinstance(raised.value.__cause__, GroupNotFound)


def raising(world: World) -> AsyncClient:
    """Return a client that raises the exceptions of the application."""
    world.client._transport.raise_app_exceptions = True  # type: ignore[attr-defined]
    return world.client
