"""The import of members from CSV: superusers add users, and everyone else is invited."""

import pytest

from accounts.domain.invitations import member_import
from accounts.domain.invitations.import_file import parse_import
from accounts.models import Role, User, UserGroup
from support.member_files import (
    CSV,
    DOMAIN,
    NOTHING,
    events,
    export_members,
    import_members,
    invited,
    members,
    user_named,
)
from support.people import World


@pytest.mark.usefixtures("knights", "arthur")
async def test_import_by_a_superuser_adds_users_and_invites_the_others(
    world: World, table: UserGroup, morgana: User
) -> None:
    await world.user("mordred", is_active=False)
    content = (
        "\ufeffEMAIL, role ,note\r\n"
        f"BORS@{DOMAIN},Admin,\r\n"
        f"\u200bgalahad@{DOMAIN}\u200e\u00a0,,\r\n\r\n,,\r\n"
        f'mordred@{DOMAIN},member,"Come, ""now"",\n or never"\r\n'
        "new@example.com,admin,\r\n"
        f"arthur@{DOMAIN},member,"
    )

    response = await import_members(world, table, morgana, content.encode())

    assert response.status_code == 200
    assert response.json() == {"dry_run": False} | NOTHING | {"added": 2, "invited": 2, "already_members": 1}
    assert await members(world, table) == {"arthur": "admin", "bors": "admin", "galahad": "member"}
    assert await invited(world, table) == {
        (f"mordred@{DOMAIN}", "member", 'Come, "now",\n or never'), ("new@example.com", "admin", ""),
    }  # fmt: skip
    assert {(purpose, email) for purpose, email, _ in (await world.tokens())} == {
        ("invitation", f"mordred@{DOMAIN}"), ("invitation", "new@example.com"),
    }  # fmt: skip
    assert await events(world, table) == {
        "membership.created": 2, "invitation.created": 2, "members.imported": 1,
    }  # fmt: skip


@pytest.mark.usefixtures("knights")
async def test_import_by_an_admin_invites_everyone_also_members_of_the_same_groups(
    world: World, table: UserGroup, arthur: User
) -> None:
    content = f"email,role\nbors@{DOMAIN},admin\nnobody@{DOMAIN},\narthur@{DOMAIN},\n"

    response = await import_members(world, table, arthur, content)

    assert response.json() == {"dry_run": False} | NOTHING | {"invited": 2, "already_members": 1}
    assert await members(world, table) == {"arthur": "admin"}
    assert await invited(world, table) == {(f"bors@{DOMAIN}", "admin", ""), (f"nobody@{DOMAIN}", "member", "")}
    assert await events(world, table) == {"invitation.created": 2, "members.imported": 1}


@pytest.mark.usefixtures("knights")
async def test_repeated_import_changes_nothing(world: World, table: UserGroup, morgana: User) -> None:
    content = f"email,role\nbors@{DOMAIN},admin\nnew@example.com,member\n"
    await import_members(world, table, morgana, content)
    sent = len(await world.tokens())

    response = await import_members(world, table, morgana, content.replace("admin", "member").replace("new", "NEW"))

    assert response.json() == {"dry_run": False} | NOTHING | {"already_members": 1, "already_invited": 1}
    assert (await members(world, table))["bors"] == "admin"
    assert len(await world.tokens()) == sent


@pytest.mark.usefixtures("knights")
@pytest.mark.parametrize(("by", "added"), [("morgana", 1), ("arthur", 0)])
async def test_dry_run_returns_the_counts_and_changes_nothing(
    world: World, table: UserGroup, arthur: User, morgana: User, by: str, added: int
) -> None:
    await world.user("mordred", is_active=False)
    await import_members(world, table, arthur, "email\nenid@example.com\n")
    before = await events(world, table), await invited(world, table), await world.tokens()
    content = f"email\nbors@{DOMAIN}\nnew@example.com\narthur@{DOMAIN}\nmordred@{DOMAIN}\nenid@example.com\n"
    importer = {"arthur": arthur, "morgana": morgana}[by]

    response = await import_members(world, table, importer, content, dry_run="true")

    counts = {"added": added, "invited": 3 - added, "already_members": 1, "already_invited": 1}
    assert response.json() == {"dry_run": True} | counts
    assert await members(world, table) == {"arthur": "admin"}
    assert (await events(world, table), await invited(world, table), await world.tokens()) == before
    assert (await import_members(world, table, importer, content)).json() == {"dry_run": False} | counts


@pytest.mark.usefixtures("arthur")
async def test_export_can_be_imported(world: World, knights: UserGroup, table: UserGroup, morgana: User) -> None:
    for number in range(3):
        await world.join(knights.id, await world.user(f"={number}"), Role.ADMIN)
    exported = (await export_members(world, knights, morgana)).text.replace(",owner,", ",member,")

    response = await import_members(world, table, morgana, exported.encode())

    assert response.json() == {"dry_run": False} | NOTHING | {"added": 5, "already_members": 1}
    assert set(await members(world, table)) == set(await members(world, knights))


@pytest.mark.usefixtures("knights")
async def test_import_works_in_batches(
    world: World, table: UserGroup, morgana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_import, "BATCH_ROWS", 2)
    content = f"email\nbors@{DOMAIN}\na@example.com\nb@example.com\ngalahad@{DOMAIN}\nc@example.com\n"

    response = await import_members(world, table, morgana, content)

    assert response.json() == {"dry_run": False} | NOTHING | {"added": 2, "invited": 3}
    assert (await events(world, table))["membership.created"] == 2


async def test_import_is_limited_to_thirty_attempts_an_hour(
    world: World, table: UserGroup, arthur: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(world.state, "settings", world.state["settings"].model_copy(update={"throttle_scale": 1}))
    headers = await world.sign_in(arthur) | CSV
    path = f"/user-groups/{table.id}/users/import"

    answers = [await world.client.post(path, content="x", headers=headers) for _ in range(31)]

    assert [answer.status_code for answer in answers] == [422] * 30 + [429]


async def test_import_requires_an_admin(world: World, knights: UserGroup) -> None:
    bors, stranger = await user_named(world, "bors"), await world.user("mordred")
    path = f"/user-groups/{knights.id}/users/import"

    assert (await import_members(world, knights, bors, "email\n")).json()["detail"] == "GROUP_FORBIDDEN"
    assert (await import_members(world, knights, stranger, "email\n")).json()["detail"] == "GROUP_NOT_FOUND"
    assert (await world.client.post(path, content="email\n", headers=CSV)).status_code == 401


async def test_quoted_cell_may_have_commas_quotes_and_line_ends() -> None:
    content = 'email,note\r\né@example.com,"a,\r\n""b"""\r\nb@example.com,\r\n'.encode()

    rows = await parse_import(content)

    assert [(row.email, row.note) for row in rows] == [("é@example.com", 'a,\n"b"'), ("b@example.com", "")]
