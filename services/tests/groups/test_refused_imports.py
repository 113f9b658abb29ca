"""An import that is refused for its size is refused before the work: little is read, and nothing is stored."""

import asyncio
from itertools import count
from typing import Any

import pytest

from accounts.domain.errors import TooManyInvitations
from accounts.domain.invitations import import_file, member_import
from accounts.domain.invitations.import_file import parse_import
from accounts.domain.invitations.store import store_invitations
from accounts.models import User, UserGroup
from support.member_files import CSV, DOMAIN, NOTHING, import_members, invited
from support.people import World


@pytest.fixture
async def guest_list(world: World, knights: UserGroup, arthur: User) -> UserGroup:
    """A group of three members and two open invitations. Arthur may still invite four people today."""
    await import_members(world, knights, arthur, "email\nkay@x.org\nector@x.org\n")
    await world.sql("DELETE FROM throttle")
    world.change_settings(throttle_scale=0.004)
    return knights


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The calls that store invitations."""
    calls: list[Any] = []

    async def storing(*args: Any) -> Any:
        calls.append(args)
        return await store_invitations(*args)

    monkeypatch.setattr(member_import, "store_invitations", storing)
    return calls


def new_rows(number: int, first: int = 0) -> str:
    return "".join(f"knight{each}@x.org\n" for each in range(first, first + number))


async def test_rows_that_are_members_or_invited_already_do_not_count(
    world: World, guest_list: UserGroup, arthur: User
) -> None:
    known = f"arthur@{DOMAIN}\nbors@{DOMAIN}\ngalahad@{DOMAIN}\nkay@x.org\nector@x.org\n"

    response = await import_members(world, guest_list, arthur, f"email\n{new_rows(4)}{known}")

    counts = {"invited": 4, "already_members": 3, "already_invited": 2}
    assert response.json() == {"dry_run": False} | NOTHING | counts


@pytest.mark.parametrize("dry_run", ["0", "1"])
async def test_file_is_not_read_beyond_the_rows_that_can_be_allowed(
    world: World, guest_list: UserGroup, arthur: User, stored: list[Any], dry_run: str
) -> None:
    content = f"email\n{new_rows(4 + 3 + 2 + 1)}this is not read\n"

    response = await import_members(world, guest_list, arthur, content, dry_run=dry_run)

    assert (response.status_code, response.json()["detail"]) == (422, "TOO_MANY_INVITATIONS")
    assert stored == []


async def test_file_with_too_many_invitations_is_refused_before_one_is_stored(
    world: World, guest_list: UserGroup, arthur: User, stored: list[Any]
) -> None:
    response = await import_members(world, guest_list, arthur, f"email\n{new_rows(5)}")

    assert (response.status_code, response.json()["detail"]) == (422, "TOO_MANY_INVITATIONS")
    assert stored == []


async def test_import_beyond_what_is_left_for_today_is_refused_before_an_invitation_is_stored(
    world: World, guest_list: UserGroup, arthur: User, stored: list[Any]
) -> None:
    await import_members(world, guest_list, arthur, f"email\n{new_rows(3)}")
    await world.sql("DELETE FROM throttle WHERE key NOT LIKE 'mail-others-account:%'")
    stored.clear()

    response = await import_members(world, guest_list, arthur, f"email\n{new_rows(2, first=3)}")

    assert (response.status_code, response.json()["detail"]) == (429, "TOO_MANY_ATTEMPTS")
    assert stored == []
    assert len(await invited(world, guest_list)) == 5


async def test_imports_of_an_account_are_limited_from_all_networks_together(
    world: World, table: UserGroup, arthur: User
) -> None:
    headers = await world.sign_in(arthur) | CSV
    world.change_settings(throttle_scale=1)
    path = f"/user-groups/{table.id}/users/import"

    answers = [
        await world.client_at(f"198.51.{number}.7").post(path, content="x", headers=headers) for number in range(31)
    ]

    assert [answer.status_code for answer in answers] == [422] * 30 + [429]


async def test_parsing_pauses_as_often_as_its_rows_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row may take milliseconds, for example with an international domain."""
    turns, clock = 0, count(step=import_file.PAUSE_SECONDS)
    monkeypatch.setattr(import_file, "perf_counter", lambda: next(clock))

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    serving = asyncio.create_task(others())
    await parse_import(f"email\n{new_rows(50)}".encode())
    serving.cancel()

    assert turns >= 50


async def test_parsing_does_not_pause_for_rows_that_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_file, "perf_counter", lambda: 0)
    monkeypatch.setattr(asyncio, "sleep", None)  # a call would fail

    assert len(await parse_import(f"email\n{new_rows(50)}".encode())) == 50


async def test_number_of_rows_is_limited_only_where_invitations_are() -> None:
    content = f"email\n{new_rows(7)}".encode()

    assert len(await parse_import(content)) == 7
    assert len(await parse_import(content, invitations_max=4, known_max=3)) == 7
    with pytest.raises(TooManyInvitations):
        await parse_import(content, invitations_max=4, known_max=2)
