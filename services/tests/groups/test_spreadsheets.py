"""Files as spreadsheets save them: LibreOffice's own are in ``spreadsheets``, made by ``save.sh`` there."""

import csv
import time
from collections.abc import Callable
from io import BytesIO, StringIO
from itertools import product
from pathlib import Path
from typing import cast
from uuid import uuid4

import pytest

from accounts.api.routes.groups.member_files import _quote
from accounts.domain.errors import ImportInvalid
from accounts.domain.invitations.import_file import parse_import
from accounts.domain.invitations.import_text import CHARSETS as CHARSETS_BY_NAME
from accounts.domain.invitations.import_text import open_text
from accounts.models import Role, User, UserGroup
from accounts.schemas.csv_injection import escape_formula, unescape_formula
from support.member_files import CSV, export_members, import_members, invited
from support.people import World

FOLDER = Path(__file__).parent / "spreadsheets"
FILES = {f"{path.parent.name} {path.stem}": path.read_bytes() for path in sorted(FOLDER.glob("*/*.csv"))}
LEGACY = [name for name in FILES if "windows-1252" in name]  # which has no emoji: LibreOffice saves question marks
DELIMITERS = (",", ";", "\t")
ROW = "email,role,note\na@example.com,admin,é\n"
SHAPES = (
    ROW,
    ROW.replace("\n", ",,\n"),
    f",,,\n\n{ROW},,,\n , ,\n",
    f'"","",""\n{ROW}',
    "email,,role,note\na@example.com, ,admin,é",
    ",email,role,note\n,a@example.com,admin,é",
    "email,role,note,user_id\na@example.com,admin,é\n",
    '"email","role","note"\n"a@example.com","admin","é"\n',
    f"sep=,\n{ROW}",
    f'"SEP=,",,\n{ROW}',
)
CHARSETS: tuple[Callable[[str], bytes], ...] = (
    str.encode,
    lambda text: text.encode("utf-8-sig"),
    lambda text: text.encode("utf-16"),
    lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
)
FORMULAS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


@pytest.mark.parametrize("name", FILES)
async def test_file_of_libreoffice_is_imported_as_it_is(
    world: World, table: UserGroup, arthur: User, name: str
) -> None:
    headers = {"Content-Type": "text/csv; charset=windows-1252"} if name in LEGACY else CSV

    response = await import_members(world, table, arthur, FILES[name], headers)

    assert response.json() | {"invited": 4} == response.json()
    assert await invited(world, table) == {
        ("galahad@example.com", "member", 'Für den Gral; oder, "wie man sagt", den Kelch'),
        ("jürg@zürich.example.com", "admin", "Erste Zeile\nzweite Zeile"),
        ("bors@example.com", "member", "1,5" if name.startswith("de") else "1.5"),
        ("lancelot@example.com", "member", f"Ein Schwert {'??' if name in LEGACY else '🗡️'} für „dich“"),
    }


def test_files_are_of_both_languages_and_all_delimiters() -> None:
    assert {name.split("-utf")[0] for name in FILES} >= {
        f"{language} {delimiter}" for language, delimiter in product(("de-DE", "en-US"), ("comma", "semicolon", "tab"))
    }


@pytest.mark.parametrize("name", LEGACY)
async def test_other_charset_is_refused_in_one_line_unless_it_is_named(
    world: World, table: UserGroup, arthur: User, name: str
) -> None:
    response = await import_members(world, table, arthur, FILES[name])

    [error] = response.json()["errors"]
    assert (response.status_code, error["loc"], error["type"]) == (422, ["body", 3], "unicode")
    assert "save it as CSV UTF-8" in error["msg"]


@pytest.mark.parametrize("delimiter", DELIMITERS)
async def test_every_delimiter_line_end_and_charset_is_read_with_blank_rows_and_columns(delimiter: str) -> None:
    for line_end, encode, shape in product(("\n", "\r\n", "\r"), CHARSETS, SHAPES):
        content = encode(shape.replace(",", delimiter).replace("\n", line_end))

        [row] = await parse_import(content)

        assert (row.email, row.role, row.note) == ("a@example.com", Role.ADMIN, "é"), content


@pytest.mark.parametrize(
    ("content", "charset", "line"),
    [
        (ROW.encode("cp1252"), "utf-8", 2),
        (b"\r\r\n" + ROW.encode("cp1252"), "utf-8", 4),
        (b"email,note\rx@example.com,\x81\r", "windows-1252", 2),
        (ROW.encode("utf-16")[:-3], "utf-8", 2),
        ("\ufeffemail\r\nx@example.com\r\n".encode("utf-16-be") + b"\xdc\x00", "utf-8", 3),
        ("\ufeffemail\n\n\ud800\n".encode("utf-16-le", "surrogatepass"), "utf-8", 3),
    ],
)  # fmt: skip
async def test_wrong_charset_names_the_first_line_that_cannot_be_read(content: bytes, charset: str, line: int) -> None:
    with pytest.raises(ImportInvalid) as refused:
        await parse_import(content, charset)

    [fault] = refused.value.faults
    assert fault.line == line


async def test_faults_name_the_line_of_the_file_whatever_is_skipped() -> None:
    with pytest.raises(ImportInvalid) as refused:
        await parse_import(b"sep=;\r;;\r\r\nemail;note\r\n;;;\n;;x\n;\n;;;\nx;;\n")

    assert [(fault.line, fault.type) for fault in refused.value.faults] == [(6, "too_many_columns"), (9, "email")]


@pytest.mark.parametrize(
    "content",
    [
        b"," * 5_000_000 + b"\nemail\n",
        b"\n" * 50_000,
        b"\r" * 50_000,
        b";\n" * 50_000 + b"email",
        b"sep=;" * 1_000_000,
        b"email" + b"," * 8_000 + b"\n" + b"".join(b"x%d@a.org\n" % number for number in range(4_000)) + b"x",
        b"\xff\xfe" + b"\n\x00" * 50_000 + b"\xff",
    ],
    ids=["blank header", "LF", "CR", "blank rows", "delimiters", "blank columns", "UTF-16"],
)
async def test_hostile_file_costs_linear_time(content: bytes) -> None:
    started = time.process_time()

    with pytest.raises(ImportInvalid):
        await parse_import(content)

    assert time.process_time() - started < 2  # seconds; what is quadratic takes more, up to minutes


async def test_export_begins_with_a_byte_order_mark_on_request(world: World, knights: UserGroup, arthur: User) -> None:
    plain, marked = [await export_members(world, knights, arthur, **query) for query in ({}, {"bom": "true"})]

    assert marked.content == b"\xef\xbb\xbf" + plain.content
    assert (await export_members(world, knights, arthur, format="json", bom="true")).json()


def test_no_text_is_a_formula_for_any_delimiter_and_every_text_is_restored() -> None:
    texts = ["".join(each) for each in product("=;\t\"',a ", repeat=4)]
    texts += [f"x{before}{formula}1" for before, formula in product(DELIMITERS[1:], FORMULAS)]
    exported = "".join(f"{uuid4()},{_quote(escape_formula(text))},owner\r\n" for text in texts)

    assert [unescape_formula(escape_formula(text)) for text in texts] == texts
    assert [cells[1] for cells in csv.reader(StringIO(exported, newline=""))] == list(map(escape_formula, texts))
    for delimiter in DELIMITERS:
        for cells in csv.reader(StringIO(exported, newline=""), delimiter=delimiter):
            assert not [cell for cell in cells if cell.strip(" ").startswith(FORMULAS)]


async def test_export_has_no_formula_after_a_semicolon_and_quotes_it(
    world: World, knights: UserGroup, arthur: User
) -> None:
    await world.join(knights.id, await world.user("kay", display_name="x;=1"), Role.MEMBER)

    response = await export_members(world, knights, arthur)

    assert ',"x;\'=1",' in response.text


@pytest.mark.parametrize("start", ["\n", "\r", "\ufeff", "x" * 10_000, "€"])
@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "windows-1252"])
def test_file_is_decoded_as_it_is_read(start: str, charset: str) -> None:
    """A large file would hold up other requests otherwise."""
    content = (start * (1_000_000 // len(start))).encode(CHARSETS_BY_NAME[charset], "replace")
    text = open_text(content, charset)

    assert len(text.readline(8_000)) <= 8_000
    assert cast("BytesIO", text.buffer).tell() < 64 * 1024
