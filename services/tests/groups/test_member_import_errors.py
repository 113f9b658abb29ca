"""Files that cannot be imported: every error is located, and nothing of the file is imported."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from accounts.domain.invitations import import_file, member_import
from accounts.domain.invitations.import_file import RECORD_LENGTH
from accounts.models import User, UserGroup
from support.member_files import DOMAIN, import_members, invited, members
from support.people import World


@pytest.mark.parametrize(
    ("content", "loc", "kind"),
    [
        (b"", [1], "empty"),
        (b"email\r\n", [1], "empty"),
        (b"\n\n", [1], "empty"),
        (b"email|role\na@b.example|admin\n", [1, "email"], "missing"),
        (b"a@b.example\n", [1, "email"], "missing"),
        (b"email,na\x00me\n", [1, "name"], "unknown_column"),
        (b"email,role,email\n", [1, "email"], "duplicate"),
        (b"\xff\xfee\x00m\x00", [1, "email"], "missing"),
        (b"email\n\xe9@example.com\n", [2], "unicode"),
        (b"PK\x03\x04\x14\x00mimetypeapplication/vnd.oasis", [1], "spreadsheet"),
        (b"email\n\n\nx\n", [4, "email"], "email"),
        (b"role,email\nadmin,\n", [2, "email"], "email"),
        (b"role,email\nadmin\n", [2, "email"], "email"),
        (b"email,role\na@example.com,king\n", [2, "role"], "role"),
        (b"email,role\na@example.com,Owner\n", [2, "role"], "owner"),
        (b"email\na@example.com\n\nA@Example.com\n", [4, "email"], "duplicate"),
        (b"email\na@example.com,admin\n", [2], "too_many_columns"),
        (b"email\na@exam\x01ple.com\n", [2, "email"], "string_pattern_mismatch"),
        (b"email,note\na@example.com,\x07\n", [2, "note"], "string_pattern_mismatch"),
        (b"email,note\na@example.com," + b"x" * 501 + b"\n", [2, "note"], "string_too_long"),
        (b"email\n" + b"x" * 255 + b"@example.com\n", [2, "email"], "string_too_long"),
        (b'email,note\na@example.com,"\n\n"\nb@example.com,"\n"\nx,\n', [7, "email"], "email"),
        (b'email\n"a"b@example.com\n', [2], "csv"),
        (b"email\na@example.com\rb\n", [3, "email"], "email"),
        (b'email,note\na@example.com,\nb@example.com,"x\n', [3], "csv"),
        (b'email,note\na@example.com,"' + b"\n" * RECORD_LENGTH, [2], "too_long"),
        (b"email\n" + b"x" * 3 * RECORD_LENGTH, [2], "too_long"),
    ],
)
async def test_error_names_the_line_and_the_column(
    world: World, table: UserGroup, arthur: User, content: bytes, loc: list[Any], kind: str
) -> None:
    response = await import_members(world, table, arthur, content)

    assert (response.status_code, response.json()["detail"]) == (422, "IMPORT_INVALID")
    [error] = response.json()["errors"]
    assert (error["loc"], error["type"]) == (["body", *loc], kind)


async def test_all_errors_are_named_and_no_value_is_repeated(world: World, table: UserGroup, arthur: User) -> None:
    content = "email,role,note\nsecret,secret,\nx@example.com,secret,secret\n"

    response = await import_members(world, table, arthur, content)

    locs = [error["loc"] for error in response.json()["errors"]]
    assert locs == [["body", 2, "email"], ["body", 2, "role"], ["body", 3, "role"]]
    assert "secret" not in response.text


async def test_at_most_a_hundred_lines_with_errors_are_named(world: World, table: UserGroup, arthur: User) -> None:
    response = await import_members(world, table, arthur, "email\n" + "x\n" * 101)

    assert [error["loc"][1] for error in response.json()["errors"]] == list(range(2, 102))


@pytest.mark.usefixtures("knights")
async def test_error_in_the_last_line_leaves_everything_unchanged(
    world: World, table: UserGroup, arthur: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_import, "BATCH_ROWS", 1)

    response = await import_members(world, table, arthur, f"email\nbors@{DOMAIN}\nnew@example.com\nx")

    assert response.status_code == 422
    assert await members(world, table) == {"arthur": "admin"}
    assert await invited(world, table) == set()
    assert (await world.tokens()) == []


async def test_file_with_too_many_rows_is_rejected(
    world: World, table: UserGroup, arthur: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_file, "ROWS_MAX", 2)

    accepted = await import_members(world, table, arthur, "email\na@example.com\nb@example.com\n", dry_run="1")
    refused = await import_members(world, table, arthur, "email\na@example.com\nb@example.com\nc@example.com\nx\n")

    assert accepted.json()["invited"] == 2
    assert [error["loc"] for error in refused.json()["errors"]] == [["body", 4]]


async def test_file_with_too_many_blank_lines_is_rejected(
    world: World, table: UserGroup, arthur: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_file, "RECORDS_MAX", 10)

    assert (
        await import_members(world, table, arthur, "email\na@example.com\n" + "\n" * 8, dry_run="1")
    ).status_code == 200
    refused = await import_members(world, table, arthur, "email\na@example.com\n" + "\n" * 9)

    assert [error["loc"] for error in refused.json()["errors"]] == [["body", 11]]


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "text/plain",
        "text/csv; charset=latin-1",
        'text/csv;header=present; Charset="utf-7"',
    ],
)
async def test_other_media_type_or_charset_is_rejected(
    world: World, table: UserGroup, arthur: User, content_type: str
) -> None:
    response = await import_members(world, table, arthur, "email\n", {"Content-Type": content_type})

    assert (response.status_code, response.json()["detail"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert response.headers["accept"] == "text/csv"


async def test_file_may_be_larger_than_other_bodies_but_has_a_limit(
    world: World, table: UserGroup, arthur: User
) -> None:
    async def megabytes(number: int) -> AsyncIterator[bytes]:
        yield b"email\na@example.com\n"
        for _ in range(number * 1024):
            yield b"," * 1023 + b"\n"

    within = await import_members(world, table, arthur, megabytes(4))
    announced = await import_members(world, table, arthur, b"\n" * (5 * 1024 * 1024 + 1))
    arrived = await import_members(world, table, arthur, megabytes(5))

    assert within.json()["invited"] == 1
    assert [announced.status_code, arrived.status_code] == [413, 413]
