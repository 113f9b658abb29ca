"""Import of users: complete or not at all, and twice as once."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from passlib.hash import bcrypt
from sqlmodel import col, select

from accounts.db.session import transaction
from accounts.domain.identity.stored_hashes import UNUSABLE
from accounts.models import AuditEvent, MailKind, Membership, Role, User, UserGroup, Visibility
from support.people import PASSWORD, World
from user_files.conftest import Import

ARTHUR, GALAHAD, BORS = ({"email": f"{name}@camelot.example.com"} for name in ("arthur", "galahad", "bors"))
HASHED = bcrypt.using(rounds=4).hash(PASSWORD)
OTHER_HASH = bcrypt.using(rounds=4).hash("another-password")
ID = "0199b6fe-1111-4222-8333-444455556666"


async def users(world: World) -> dict[str, User]:
    async with transaction(world.sessionmaker) as db:
        return {user.email.partition("@")[0]: user for user in await db.exec(select(User))}


async def memberships(world: World) -> dict[tuple[str, str], str]:
    async with transaction(world.sessionmaker) as db:
        statement = (
            select(UserGroup.name, User.email, Membership.role)
            .join(Membership, col(Membership.group_id) == UserGroup.id)
            .join(User, col(User.id) == Membership.user_id)
        )
        return {(name, email.partition("@")[0]): role for name, email, role in await db.exec(statement)}


async def actions(world: World) -> Counter[str]:
    async with transaction(world.sessionmaker) as db:
        return Counter(await db.exec(select(AuditEvent.action)))


async def test_imported_user_has_what_the_file_says_and_signs_in(busy_world: World, import_file: Import) -> None:
    line = {
        "id": ID,
        "email": "King.Arthur@CAMELOT.example.com",
        "display_name": "Arthur",
        "language": "de",
        "hashed_password": HASHED,
        "is_verified": True,
        "is_active": True,
        "created_at": "2019-05-01T12:00:00+02:00",
    }

    printed = await import_file(line, GALAHAD)

    assert printed == "Created 2 users (1 without a password), 0 groups and 0 memberships.\n"
    stored = await users(busy_world)
    arthur, galahad = stored["King.Arthur"], stored["galahad"]
    assert (str(arthur.id), arthur.email, arthur.display_name) == (ID, "King.Arthur@camelot.example.com", "Arthur")
    assert (arthur.is_verified, arthur.is_active, arthur.is_superuser) == (True, True, False)
    assert arthur.created_at == datetime(2019, 5, 1, 10, tzinfo=UTC)
    assert (galahad.hashed_password, galahad.is_verified, galahad.is_active) == (UNUSABLE, False, True)
    assert (arthur.language, galahad.language) == ("de", None)
    await busy_world.sign_in(arthur)
    assert (await users(busy_world))["King.Arthur"].hashed_password.startswith("$argon2id$")
    assert (await busy_world.login(galahad)).status_code == 400


async def test_language_is_imported_also_beside_users_who_exist(busy_world: World, import_file: Import) -> None:
    await import_file(ARTHUR | {"language": "en"})

    await import_file(ARTHUR, BORS | {"language": "DE"}, GALAHAD)

    stored = await users(busy_world)
    assert [stored[name].language for name in ("arthur", "bors", "galahad")] == ["en", "de", None]


async def test_backslashes_are_characters(busy_world: World, import_file: Import) -> None:
    await import_file({"email": "arthur@camelot.example.com", "display_name": "Arthur\\t \\N"})

    assert (await users(busy_world))["arthur"].display_name == "Arthur\\t \\N"


async def test_user_without_a_password_can_reset_it(busy_world: World, import_file: Import) -> None:
    await import_file(GALAHAD)
    assert await busy_world.mails() == []

    await busy_world.client.post("/auth/forgot-password", json=GALAHAD)
    answer = await busy_world.client.post(
        "/auth/reset-password", json={"token": await busy_world.token(), "password": PASSWORD}
    )

    assert answer.status_code == 200
    await busy_world.sign_in(GALAHAD["email"])


async def test_second_import_changes_nothing_and_says_so(busy_world: World, import_file: Import) -> None:
    lines = [{**ARTHUR, "groups": [{"name": "Knights", "role": "owner"}]}, {**GALAHAD, "hashed_password": HASHED}]
    await import_file(*lines)
    before, recorded = await users(busy_world), await actions(busy_world)

    printed = await import_file(*lines)

    assert printed.splitlines() == [
        "Created 0 users (0 without a password), 0 groups and 0 memberships.",
        "2 users exist already, and stay as they are.",
    ]
    assert {user.updated_at for user in (await users(busy_world)).values()} == {
        user.updated_at for user in before.values()
    }
    assert await actions(busy_world) == recorded


async def test_password_that_was_changed_since_is_kept(busy_world: World, import_file: Import) -> None:
    arthur = await busy_world.user("arthur")

    await import_file(
        {"email": "ARTHUR@camelot.example.com", "hashed_password": OTHER_HASH, "is_active": False, "display_name": "X"}
    )

    stored = (await users(busy_world))["arthur"]
    assert (stored.hashed_password, stored.display_name) == (arthur.hashed_password, arthur.display_name)
    await busy_world.sign_in(arthur)


async def test_dry_run_counts_the_same_and_stores_nothing(busy_world: World, import_file: Import) -> None:
    await busy_world.user("bors")
    lines = [
        {**ARTHUR, "groups": [{"name": "Knights", "role": "owner"}, {"name": "Table", "role": "owner"}]},
        {**GALAHAD, "groups": [{"name": "knights"}]},
        BORS,
    ]

    dry = await import_file(*lines, options=("--dry-run", "--progress"))
    assert set(await users(busy_world)) == {"bors"}
    assert await memberships(busy_world) == {}
    assert "users.imported" not in await actions(busy_world)
    real = await import_file(*lines)

    assert dry.replace("Would create", "Created") == real
    assert real.startswith("Created 2 users (2 without a password), 2 groups and 3 memberships.")


async def test_groups_are_found_by_id_or_name_or_created(busy_world: World, import_file: Import) -> None:
    owner = await busy_world.user("merlin")
    table = await busy_world.group("Round Table", members={owner: Role.OWNER})
    await busy_world.group("Castle", Visibility.PRIVATE, members={owner: Role.OWNER})

    await import_file(
        {**GALAHAD, "groups": [{"id": table.id, "role": "admin"}, {"name": "castle"}, {"name": "Quest"}]},
        {**ARTHUR, "groups": [{"name": "quest", "role": "owner"}, {"name": "ROUND TABLE"}]},
    )

    assert await memberships(busy_world) == {
        ("Round Table", "merlin"): "owner",
        ("Castle", "merlin"): "owner",
        ("Round Table", "galahad"): "admin",
        ("Castle", "galahad"): "member",
        ("Quest", "galahad"): "member",
        ("Quest", "arthur"): "owner",
        ("Round Table", "arthur"): "member",
    }
    async with transaction(busy_world.sessionmaker) as db:
        quest = (await db.exec(select(UserGroup).where(UserGroup.name == "Quest"))).one()
        assert (quest.visibility, quest.member_count) == (Visibility.PRIVATE, 2)
        events = await db.exec(select(AuditEvent.action, AuditEvent.detail).where(AuditEvent.group_id == quest.id))
        assert dict(events.all()) == {"group.created": {}, "members.imported": {"added": 2}}
        [imported] = (await db.exec(select(AuditEvent).where(AuditEvent.action == "users.imported"))).all()
        assert imported.actor_id is None
        assert {name: imported.detail[name] for name in ("created", "memberships_created")} == {
            "created": 2,
            "memberships_created": 5,
        }


async def test_reserved_email_is_skipped_until_the_undo_expires(busy_world: World, import_file: Import) -> None:
    arthur = await busy_world.user("arthur")
    headers = await busy_world.sign_in(arthur)
    await busy_world.client.patch("/users/me", json={"email": "pendragon@camelot.example.com"}, headers=headers)
    [_, _, token] = next(mail[:3] for mail in await busy_world.mails(MailKind.CONFIRM_EMAIL))
    await busy_world.client.post("/auth/confirm-email", json={"token": token})

    for options in (("--dry-run",), ()):
        printed = await import_file({**ARTHUR, "groups": [{"name": "Knights", "role": "owner"}]}, BORS, options=options)
        assert "1 users (1 without a password), 0 groups and 0 memberships." in printed
        assert "1 addresses are reserved" in printed
    assert set(await users(busy_world)) == {"pendragon", "bors"}

    await busy_world.sql("UPDATE one_time_token SET expires_at = now() - interval '1 second'")
    assert "Created 1 users" in await import_file(ARTHUR, BORS)


FAULTS: dict[str, tuple[Any, str]] = {
    "typo": ({**BORS, "dispay_name": "Bors"}, "dispay_name: The members of a user are email, display_name,"),
    "no email": ({}, "email: Field required"),
    "email": ({"email": "bors"}, "email: Input should be an email address"),
    "no JSON": ("{", "Invalid JSON: EOF while parsing an object at column 1"),
    "no object": ("[]", "Input should be an object"),
    "no Unicode": (b'{"email": "\xff@camelot.example.com"}', "Invalid JSON: invalid unicode code point at column 12"),
    "surrogate": ('{"email": "\\ud800@camelot.example.com"}', "Invalid JSON"),
    "control character": ({**BORS, "display_name": "a\x00b"}, "display_name: Input should have no control characters"),
    "language": ({**BORS, "language": "tlh"}, "language: Input should be de or en"),
    "flag": ({**BORS, "is_verified": "yes"}, "is_verified: Input should be a valid boolean"),
    "superuser": ({**BORS, "is_superuser": True}, "is_superuser: The members of a user are"),
    "naive time": ({**BORS, "created_at": "2020-01-01T00:00:00"}, "created_at: "),
    "Unix time": ({**BORS, "created_at": 1577836800}, "created_at: Input should be a date and time such as"),
    "future": ({**BORS, "created_at": "2999-01-01T00:00:00Z"}, "created_at: Input should not be in the future"),
    "cost": (
        {**BORS, "hashed_password": "pbkdf2_sha256$999999999$salt$QUFBQUFBQUFBQUFBQUFBQUFBQUE="},
        "hashed_password: Verifying this hash takes too much time or memory.",
    ),
    "NUL in the salt": (
        {**BORS, "hashed_password": "pbkdf2_sha256$1000$\0$QUFBQUFBQUFBQUFBQUFBQUFBQUE="},
        "hashed_password: This is not a hash that can be verified.",
    ),
    "md5": ({**BORS, "hashed_password": "5f4dcc3b5aa765d61d8327deb882cf99"}, "hashed_password: MD5 and plain SHA"),
    "plain": ({**BORS, "hashed_password": PASSWORD}, "hashed_password: This is not a hash that can be verified."),
    "role": ({**BORS, "groups": [{"name": "Knights", "role": "king"}]}, "groups.0.role: Input should be 'owner', "),
    "group": ({**BORS, "groups": [{"role": "owner"}]}, "groups.0: A group should have either an id or a name"),
    "both": ({**BORS, "groups": [{"id": 1, "name": "Knights"}]}, "groups.0: A group should have either"),
    "unknown group": ({**BORS, "groups": [{"id": 4711}]}, "groups: A group does not exist"),
    "no owner": ({**BORS, "groups": [{"name": "Quest"}]}, "groups: A new group has no active owner"),
    "inactive owner": (
        {**BORS, "is_active": False, "groups": [{"name": "Quest", "role": "owner"}]},
        "groups: A new group has no active owner",
    ),
    "duplicate": ({"email": "ARTHUR@camelot.example.com"}, "email: Line 1 has the same email"),
    "id": ({**BORS, "id": ID}, "id: Line 1 has the same id"),
    "long": ({**BORS, "display_name": "x" * 200_000}, "The line has more than 131072 bytes"),
}


@pytest.mark.parametrize(("faulty", "message"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("options", [(), ("--dry-run",)], ids=["", "dry run"])
async def test_invalid_line_is_named_and_nothing_is_imported(
    busy_world: World,
    import_file: Import,
    capsys: pytest.CaptureFixture[str],
    faulty: Any,
    message: str,
    options: tuple[str, ...],
) -> None:
    with pytest.raises(
        SystemExit, match=r"^import-users: the file has invalid lines, see above; nothing was imported$"
    ):
        await import_file({**ARTHUR, "id": ID}, "", faulty, GALAHAD, options=options)

    printed = capsys.readouterr().err
    assert f"line 3: {message}" in printed
    assert PASSWORD not in printed
    assert await users(busy_world) == {}
    async with transaction(busy_world.sessionmaker) as db:
        assert (await db.exec(select(col(UserGroup.id)))).all() == []


async def test_id_of_another_user_is_refused(
    busy_world: World, import_file: Import, capsys: pytest.CaptureFixture[str]
) -> None:
    merlin = await busy_world.user("merlin")
    for options in ((), ("--dry-run",)):
        with pytest.raises(SystemExit):
            await import_file({**BORS, "id": str(merlin.id)}, options=options)
        assert "line 1: id: A user with another email has this id" in capsys.readouterr().err
    assert "1 users exist already" in await import_file({"email": merlin.email, "id": str(merlin.id)})


async def test_name_of_several_groups_is_refused(
    busy_world: World, import_file: Import, capsys: pytest.CaptureFixture[str]
) -> None:
    merlin = await busy_world.user("merlin")
    for visibility in Visibility:
        await busy_world.group("Castle", visibility, members={merlin: Role.OWNER})

    with pytest.raises(SystemExit):
        await import_file({**BORS, "groups": [{"name": "castle"}]})

    assert "line 1: groups: Several groups have the name: use the id" in capsys.readouterr().err


async def test_first_hundred_invalid_lines_are_named(
    busy_world: World, import_file: Import, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        await import_file(*["{}"] * 150)
    assert capsys.readouterr().err.count("email: Field required") == 100
    assert await users(busy_world) == {}


async def test_empty_file_is_refused(import_file: Import, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        await import_file("\n")
    assert "line 1: At least one user is required" in capsys.readouterr().err


async def test_byte_order_mark_and_windows_line_ends_are_accepted(busy_world: World, import_file: Import) -> None:
    await import_file(
        b'\xef\xbb\xbf{"email": "arthur@camelot.example.com"}\r\n\r\n{"email": "bors@camelot.example.com"}\r\n'
    )
    assert set(await users(busy_world)) == {"arthur", "bors"}
