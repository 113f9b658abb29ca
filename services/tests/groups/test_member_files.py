"""Members in bulk: exported, and imported again; all of a file or nothing of it."""

import asyncio
import csv
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from sqlalchemy import text
from sqlmodel import col, func, select
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from accounts.api import downloads
from accounts.api.http_protocol import Protocol
from accounts.db.session import Session, transaction
from accounts.domain.errors import GroupNotFound
from accounts.domain.groups import member_export
from accounts.domain.invitations import import_file, member_import
from accounts.domain.invitations.import_file import RECORD_BYTES, parse_import
from accounts.models import AuditEvent, Invitation, Membership, Role, User, UserGroup, Visibility
from accounts.schemas.member_files import MemberExport
from accounts.schemas.pagination import Page, PageQuery
from support.people import World
from support.waiting import eventually

TYPE = {"Content-Type": "text/csv"}
DOMAIN = "camelot.example.com"
NOTHING = {"added": 0, "invited": 0, "already_members": 0, "already_invited": 0}


@pytest.fixture
async def arthur(world: World) -> User:
    return await world.user("arthur")


@pytest.fixture
async def knights(world: World, arthur: User) -> UserGroup:
    """A private group of three, whom Arthur knows from it."""
    others = {await world.user(name): Role.MEMBER for name in ("bors", "galahad")}
    return await world.group("Knights", Visibility.PRIVATE, members={arthur: Role.OWNER, **others})


@pytest.fixture
async def table(world: World, arthur: User) -> UserGroup:
    """A group of Arthur alone."""
    return await world.group("Round Table", Visibility.PRIVATE, members={arthur: Role.ADMIN})


async def export(world: World, group: UserGroup, user: User, **query: str) -> Response:
    headers = await world.sign_in(user)
    return await world.client.get(f"/user-groups/{group.id}/users/export", params=query, headers=headers)


async def send(
    world: World, group: UserGroup, user: User, content: Any, headers: dict[str, str] | None = None, **query: str
) -> Response:
    headers = await world.sign_in(user) | (TYPE if headers is None else headers)
    path = f"/user-groups/{group.id}/users/import"
    return await world.client.post(path, content=content, params=query, headers=headers)


async def invited(world: World, group: UserGroup) -> set[tuple[str, str, str]]:
    async with transaction(world.sessionmaker) as db:
        found = await db.exec(select(Invitation).where(Invitation.group_id == group.id))
        return {(each.email, each.role, each.note) for each in found}


async def members(world: World, group: UserGroup) -> dict[str, str]:
    async with transaction(world.sessionmaker) as db:
        statement = select(User.email, Membership.role).join(Membership).where(Membership.group_id == group.id)
        return {email.split("@")[0]: role for email, role in await db.exec(statement)}


async def events(world: World, group: UserGroup) -> Counter[str]:
    async with transaction(world.sessionmaker) as db:
        found = await db.exec(select(AuditEvent.action).where(AuditEvent.group_id == group.id))
        return Counter(found)


def rows_of(response: Response) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(response.text, newline="")))


class TestExport:
    async def test_is_csv_with_a_header_line(self, world: World, knights: UserGroup, arthur: User) -> None:
        response = await export(world, knights, arthur)

        assert response.status_code == 200
        assert response.headers["content-type"] == "text/csv; charset=utf-8; header=present"
        assert response.headers["content-disposition"] == f'attachment; filename="group-{knights.id}-members.csv"'
        assert response.headers["cache-control"] == "no-store"
        lines = response.text.split("\r\n")
        assert lines[0] == "user_id,email,display_name,role,joined_at"
        assert lines[1].startswith(f"{arthur.id},arthur@{DOMAIN},Arthur,owner,20")
        assert lines[1].endswith("Z")
        assert len(lines) == 5

    async def test_is_json_of_the_same(self, world: World, knights: UserGroup, arthur: User) -> None:
        table = rows_of(await export(world, knights, arthur))

        response = await export(world, knights, arthur, format="json")

        assert response.headers["content-type"] == "application/json"
        assert response.json() == table

    async def test_goes_on_through_all_pages(
        self, world: World, knights: UserGroup, arthur: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for rows in (1, 2, 3):
            monkeypatch.setattr(downloads, "BATCH_ROWS", rows)
            names = [row["display_name"] for row in rows_of(await export(world, knights, arthur))]
            assert names == ["Arthur", "Bors", "Galahad"]

    async def test_can_be_read_by_csv_and_calculates_nothing(
        self, world: World, knights: UserGroup, arthur: User
    ) -> None:
        shown = {
            'Bors, "the younger"': 'Bors, "the younger"', "=1+1": "'=1+1", "'=1": "''=1", "-1": "'-1", "@a": "'@a",
            "\uff1d1": "'\uff1d1", "'t Hooft": "'t Hooft",
        }  # fmt: skip
        for number, name in enumerate(shown):
            user = await world.user(f"+{number}", display_name=name)
            await world.join(knights.id, user, Role.MEMBER)

        rows = rows_of(await export(world, knights, arthur))
        names = {each["display_name"] for each in (await export(world, knights, arthur, format="json")).json()}

        assert {row["display_name"] for row in rows} >= set(shown.values())
        assert {row["email"][:2] for row in rows} == {"'+", "ar", "bo", "ga"}
        assert names >= set(shown)

    async def test_is_for_admins(self, world: World, knights: UserGroup) -> None:
        bors, stranger = await member(world, "bors"), await world.user("mordred")
        open_group = await world.group("Open")

        assert (await export(world, knights, bors)).json()["detail"] == "GROUP_FORBIDDEN"
        assert (await export(world, knights, stranger)).json()["detail"] == "GROUP_NOT_FOUND"
        assert (await export(world, open_group, stranger)).status_code == 403
        assert (await world.client.get(f"/user-groups/{open_group.id}/users/export")).status_code == 401
        assert (await export(world, knights, await world.user("morgana", superuser=True))).status_code == 200

    async def test_knows_two_formats(self, world: World, knights: UserGroup, arthur: User) -> None:
        assert (await export(world, knights, arthur, format="xml")).status_code == 422

    async def test_breaks_off_if_the_group_is_deleted_meanwhile(
        self, world: World, knights: UserGroup, arthur: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What were members a moment ago would look like all there ever were."""
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
    """A client that sees what breaks the connection of a server."""
    world.client._transport.raise_app_exceptions = True  # type: ignore[attr-defined]
    return world.client


async def member(world: World, name: str) -> User:
    async with transaction(world.sessionmaker) as db:
        return (await db.exec(select(User).where(User.email == f"{name}@{DOMAIN}"))).one()


class TestImport:
    @pytest.mark.usefixtures("knights")
    async def test_adds_who_is_known_and_invites_the_others(self, world: World, table: UserGroup, arthur: User) -> None:
        await world.user("mordred")
        content = (
            "\ufeffEMAIL, role ,note\r\n"
            f"BORS@{DOMAIN},Admin,\r\n"
            f"galahad@{DOMAIN},,\r\n\r\n,,\r\n"
            f'mordred@{DOMAIN},member,"Come, ""now"",\n or never"\r\n'
            "new@example.com,admin,\r\n"
            f"arthur@{DOMAIN},member,"
        )

        response = await send(world, table, arthur, content.encode())

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
    async def test_changes_nothing_the_second_time(self, world: World, table: UserGroup, arthur: User) -> None:
        content = f"email,role\nbors@{DOMAIN},admin\nnew@example.com,member\n"
        await send(world, table, arthur, content)
        sent = len(await world.tokens())

        response = await send(world, table, arthur, content.replace("admin", "member").replace("new", "NEW"))

        assert response.json() == {"dry_run": False} | NOTHING | {"already_members": 1, "already_invited": 1}
        assert (await members(world, table))["bors"] == "admin"
        assert len(await world.tokens()) == sent

    @pytest.mark.usefixtures("knights")
    async def test_says_in_a_dry_run_what_it_would_do_and_does_nothing(
        self, world: World, table: UserGroup, arthur: User
    ) -> None:
        content = f"email\nbors@{DOMAIN}\nnew@example.com\narthur@{DOMAIN}\n"

        response = await send(world, table, arthur, content, dry_run="true")

        counts = NOTHING | {"added": 1, "invited": 1, "already_members": 1}
        assert response.json() == {"dry_run": True} | counts
        assert await members(world, table) == {"arthur": "admin"}
        assert await invited(world, table) == set()
        assert await events(world, table) == {}
        assert (await world.tokens()) == []
        assert (await send(world, table, arthur, content)).json() == {"dry_run": False} | counts

    async def test_takes_inactive_users_for_strangers(self, world: World, table: UserGroup) -> None:
        morgana = await world.user("morgana", superuser=True)
        await world.user("mordred", is_active=False)
        await world.user("bors")

        response = await send(world, table, morgana, f"email\nmordred@{DOMAIN}\nbors@{DOMAIN}\n")

        assert response.json() == {"dry_run": False} | NOTHING | {"added": 1, "invited": 1}
        assert await members(world, table) == {"arthur": "admin", "bors": "member"}

    async def test_takes_what_was_exported(
        self, world: World, knights: UserGroup, table: UserGroup, arthur: User
    ) -> None:
        for number in range(3):
            await world.join(knights.id, await world.user(f"={number}"), Role.ADMIN)
        exported = (await export(world, knights, arthur)).text.replace(",owner,", ",member,")

        response = await send(world, table, arthur, exported.encode())

        assert response.json() == {"dry_run": False} | NOTHING | {"added": 5, "already_members": 1}
        assert set(await members(world, table)) == set(await members(world, knights))

    @pytest.mark.usefixtures("knights")
    async def test_works_in_batches(
        self, world: World, table: UserGroup, arthur: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(member_import, "BATCH_ROWS", 2)
        content = f"email\nbors@{DOMAIN}\na@example.com\nb@example.com\ngalahad@{DOMAIN}\nc@example.com\n"

        response = await send(world, table, arthur, content)

        assert response.json() == {"dry_run": False} | NOTHING | {"added": 2, "invited": 3}
        assert (await events(world, table))["membership.created"] == 2

    async def test_can_be_tried_thirty_times_an_hour(
        self, world: World, table: UserGroup, arthur: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each could send thousands of mails."""
        monkeypatch.setitem(world.state, "settings", world.state["settings"].model_copy(update={"throttle_scale": 1}))
        headers = await world.sign_in(arthur) | TYPE
        path = f"/user-groups/{table.id}/users/import"

        answers = [await world.client.post(path, content="x", headers=headers) for _ in range(31)]

        assert [answer.status_code for answer in answers] == [422] * 30 + [429]

    async def test_is_for_admins(self, world: World, knights: UserGroup) -> None:
        bors, stranger = await member(world, "bors"), await world.user("mordred")
        path = f"/user-groups/{knights.id}/users/import"

        assert (await send(world, knights, bors, "email\n")).json()["detail"] == "GROUP_FORBIDDEN"
        assert (await send(world, knights, stranger, "email\n")).json()["detail"] == "GROUP_NOT_FOUND"
        assert (await world.client.post(path, content="email\n", headers=TYPE)).status_code == 401


class TestRefusals:
    @pytest.mark.parametrize(
        ("content", "loc", "kind"),
        [
            (b"", [1], "empty"),
            (b"email\r\n", [1], "empty"),
            (b"\n\n", [1, "email"], "missing"),
            (b"email;role\na@b.example;admin\n", [1, "email"], "missing"),
            (b"email\trole\na@b.example\tadmin\n", [1, "email"], "missing"),
            (b"a@b.example\n", [1, "email"], "missing"),
            (b"email,na\x00me\n", [1, "name"], "unknown_column"),
            (b"email,role,email\n", [1, "email"], "duplicate"),
            (b"\xff\xfee\x00m\x00", [1], "unicode"),
            (b"email\n\xe9@example.com\n", [2], "unicode"),
            (b"email\n\n\nx\n", [4, "email"], "email"),
            (b"role,email\nadmin,\n", [2, "email"], "email"),
            (b"role,email\nadmin\n", [2, "email"], "missing"),
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
            (b"email\na@example.com\rb@example.com\n", [2], "csv"),
            (b'email,note\na@example.com,\nb@example.com,"x\n', [3], "csv"),
            (b'email,note\na@example.com,"' + b"\n" * RECORD_BYTES, [2], "too_long"),
            (b"email\n" + b"x" * 3 * RECORD_BYTES, [2], "too_long"),
        ],
    )
    async def test_name_the_line_and_the_column(
        self, world: World, table: UserGroup, arthur: User, content: bytes, loc: list[Any], kind: str
    ) -> None:
        response = await send(world, table, arthur, content)

        assert (response.status_code, response.json()["detail"]) == (422, "IMPORT_INVALID")
        [error] = response.json()["errors"]
        assert (error["loc"], error["type"]) == (["body", *loc], kind)

    async def test_name_all_that_is_wrong_and_repeat_no_value(
        self, world: World, table: UserGroup, arthur: User
    ) -> None:
        content = "email,role,note\nsecret,secret,\nx@example.com,secret,secret\n"

        response = await send(world, table, arthur, content)

        locs = [error["loc"] for error in response.json()["errors"]]
        assert locs == [["body", 2, "email"], ["body", 2, "role"], ["body", 3, "role"]]
        assert "secret" not in response.text

    async def test_end_with_the_hundredth_line(self, world: World, table: UserGroup, arthur: User) -> None:
        response = await send(world, table, arthur, "email\n" + "x\n" * 101)

        assert [error["loc"][1] for error in response.json()["errors"]] == list(range(2, 102))

    @pytest.mark.usefixtures("knights")
    async def test_leave_everything_as_it_was_also_for_the_last_line(
        self, world: World, table: UserGroup, arthur: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(member_import, "BATCH_ROWS", 1)

        response = await send(world, table, arthur, f"email\nbors@{DOMAIN}\nnew@example.com\nx")

        assert response.status_code == 422
        assert await members(world, table) == {"arthur": "admin"}
        assert await invited(world, table) == set()
        assert (await world.tokens()) == []

    async def test_too_many_rows(
        self, world: World, table: UserGroup, arthur: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(import_file, "ROWS_MAX", 2)

        right = await send(world, table, arthur, "email\na@example.com\nb@example.com\n", dry_run="1")
        wrong = await send(world, table, arthur, "email\na@example.com\nb@example.com\nc@example.com\nx\n")

        assert right.json()["invited"] == 2
        assert [error["loc"] for error in wrong.json()["errors"]] == [["body", 4]]

    async def test_nor_of_blank_ones(
        self, world: World, table: UserGroup, arthur: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(import_file, "RECORDS_MAX", 10)

        assert (await send(world, table, arthur, "email\na@example.com\n" + "\n" * 8, dry_run="1")).status_code == 200
        wrong = await send(world, table, arthur, "email\na@example.com\n" + "\n" * 9)

        assert [error["loc"] for error in wrong.json()["errors"]] == [["body", 11]]

    @pytest.mark.parametrize(
        "content_type",
        [
            "",
            "application/json",
            "text/plain",
            "text/csv; charset=latin-1",
            'text/csv;header=present; Charset="utf-16"',
        ],
    )
    async def test_what_is_not_said_to_be_csv_in_utf_8(
        self, world: World, table: UserGroup, arthur: User, content_type: str
    ) -> None:
        response = await send(world, table, arthur, "email\n", {"Content-Type": content_type})

        assert (response.status_code, response.json()["detail"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
        assert response.headers["accept"] == "text/csv"

    async def test_larger_files_than_other_bodies_but_not_of_any_size(
        self, world: World, table: UserGroup, arthur: User
    ) -> None:
        async def megabytes(number: int) -> AsyncIterator[bytes]:
            yield b"email\na@example.com\n"
            for _ in range(number * 1024):
                yield b"," * 1023 + b"\n"

        taken = await send(world, table, arthur, megabytes(4))
        announced = await send(world, table, arthur, b"\n" * (5 * 1024 * 1024 + 1))
        arrived = await send(world, table, arthur, megabytes(5))

        assert taken.json()["invited"] == 1
        assert [announced.status_code, arrived.status_code] == [413, 413]


async def test_quoted_cell_may_have_commas_quotes_and_line_ends() -> None:
    content = 'email,note\r\né@example.com,"a,\r\n""b"""\r\nb@example.com,\r\n'.encode()

    rows = await parse_import(content)

    assert [(row.email, row.note) for row in rows] == [("é@example.com", 'a,\n"b"'), ("b@example.com", "")]


class TestAtTheSameInstant:
    @pytest.fixture
    async def hall(self, busy_world: World) -> UserGroup:
        arthur = await busy_world.user("arthur")
        others = {await busy_world.user(f"knight{number}"): Role.MEMBER for number in range(20)}
        await busy_world.group("Others", members={arthur: Role.OWNER, **others})
        return await busy_world.group("Hall", members={arthur: Role.OWNER})

    CONTENT = "email\n" + "".join(f"knight{number}@{DOMAIN}\nnew{number}@example.com\n" for number in range(20))

    async def test_one_file_twice_makes_one_membership_each(self, busy_world: World, hall: UserGroup) -> None:
        arthur = await member(busy_world, "arthur")

        answers = await asyncio.gather(*(send(busy_world, hall, arthur, self.CONTENT) for _ in range(3)))

        assert [answer.status_code for answer in answers] == [200] * 3
        assert Counter(answer.json()["added"] for answer in answers) == {20: 1, 0: 2}
        assert len(await members(busy_world, hall)) == 21
        assert len(await invited(busy_world, hall)) == 20 == len(await busy_world.tokens())

    async def test_removals_come_before_or_after(self, busy_world: World, hall: UserGroup) -> None:
        arthur = await member(busy_world, "arthur")
        headers = await busy_world.sign_in(arthur)
        paths = [f"/user-groups/{hall.id}/users/{(await member(busy_world, f'knight{n}')).id}" for n in range(8)]
        await send(busy_world, hall, arthur, self.CONTENT)

        answers = await asyncio.gather(
            send(busy_world, hall, arthur, self.CONTENT),
            *(busy_world.client.delete(path, headers=headers) for path in paths),
        )

        assert [answer.status_code for answer in answers] == [200] + [204] * 8
        async with transaction(busy_world.sessionmaker) as db:
            count = await db.scalar(select(func.count()).where(col(Membership.group_id) == hall.id))
            assert count == 13 + answers[0].json()["added"]
            assert (await db.get_one(UserGroup, hall.id)).member_count == count

    async def test_who_is_being_deleted_is_not_waited_for(self, busy_world: World, hall: UserGroup) -> None:
        arthur, knight = await member(busy_world, "arthur"), await member(busy_world, "knight0")
        async with transaction(busy_world.sessionmaker) as db:
            await db.exec(select(User).where(col(User.id) == knight.id).with_for_update())
            response = await send(busy_world, hall, arthur, self.CONTENT)

        assert response.json() == {"dry_run": False} | NOTHING | {"added": 19, "invited": 21}

    async def test_a_slow_sender_keeps_no_connection(self, busy_world: World, hall: UserGroup) -> None:
        pool = pool_of(busy_world)
        held = []

        async def slowly() -> AsyncIterator[bytes]:
            for line in self.CONTENT.splitlines(keepends=True):
                held.append(pool.checkedout())
                yield line.encode()

        response = await send(busy_world, hall, await member(busy_world, "arthur"), slowly())

        assert response.json()["added"] == 20
        assert set(held[1:]) == {0}
        assert pool.checkedout() == 0

    @pytest.mark.parametrize("format", ["csv", "json"])
    async def test_who_hangs_up_in_the_middle_of_an_export_leaves_nothing_behind(
        self, busy_world: World, hall: UserGroup, monkeypatch: pytest.MonkeyPatch, format: str
    ) -> None:
        """Also while the database is at work for the next page."""
        arrived = asyncio.Event()

        async def stuck(db: Session, query: PageQuery, group_id: int) -> Page[MemberExport]:
            if query.cursor:
                arrived.set()
                await (await db.connection()).execute(text("SELECT pg_sleep(60)"))
            return await member_export.export_page(db, query, group_id)

        monkeypatch.setattr(downloads, "BATCH_ROWS", 5)
        monkeypatch.setattr(downloads, "CHUNK_BYTES", 1)
        monkeypatch.setattr("accounts.api.routes.groups.member_files.member_export", SimpleNamespace(export_page=stuck))
        for number in range(10):
            await busy_world.join(hall.id, await member(busy_world, f"knight{number}"), Role.MEMBER)
        head = f"GET /user-groups/{hall.id}/users/export?format={format} HTTP/1.1"

        async with connection(busy_world, head) as (reader, _):
            await reader.readuntil(b"knight")
            await eventually("the second page is read", arrived.is_set)
            assert pool_of(busy_world).checkedout() == 1

        assert pool_of(busy_world).checkedout() == 0

    async def test_who_hangs_up_in_the_middle_of_an_import_leaves_nothing_behind(
        self, busy_world: World, hall: UserGroup, caplog: pytest.LogCaptureFixture
    ) -> None:
        head = f"POST /user-groups/{hall.id}/users/import HTTP/1.1\r\nContent-Type: text/csv\r\nContent-Length: 999"

        async with connection(busy_world, head) as (_, writer):
            writer.write(b"email\na@example.com\n")
            await asyncio.sleep(0.2)

        assert pool_of(busy_world).checkedout() == 0
        assert await invited(busy_world, hall) == set()
        assert not [record for record in caplog.records if record.exc_info]


def pool_of(world: World) -> Any:
    return world.sessionmaker.kw["bind"].pool


@asynccontextmanager
async def connection(world: World, head: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A real connection to a real server, on which Arthur has sent the head of a request."""
    headers = await world.sign_in(await member(world, "arthur"))

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        await world.app({**scope, "state": dict(world.state)}, receive, send)

    config = Config(asgi, log_config=None, lifespan="off", proxy_headers=False)
    state = ServerState()
    serve = lambda: Protocol(config, state, {})  # noqa: E731  # what create_server calls
    async with await asyncio.get_running_loop().create_server(serve, "127.0.0.1", 0) as listening:
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
        lines = [head, "Host: testserver", f"Authorization: {headers['Authorization']}", "", ""]
        writer.write("\r\n".join(lines).encode())
        yield reader, writer
        writer.transport.abort()
        await asyncio.wait(state.tasks, timeout=5)
        assert not state.tasks
