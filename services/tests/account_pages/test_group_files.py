"""The pages that import members from a CSV file, after a check if one wants it, and export them."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from httpx2 import Response

from accounts.api.account_pages.import_faults import TEXTS
from accounts.domain.bulk import CONNECTIONS
from accounts.domain.invitations.import_file import FAULTY_ROWS_MAX, RECORD_LENGTH
from accounts.models import Role, User, UserGroup, Visibility
from support.account_pages import alert, enter, get, post
from support.html import Page
from support.member_files import events, invited, members, rows_of
from support.people import World

FILE = b"email,role,note\nlot@example.com,admin,\nban@example.com,,A seat\nbors@camelot.example.com,admin,\n"
HOSTILE = "<script>alert(1)</script>\"' \u05d0\u05d1"


class Table:
    """A private group of Kay, its admin, who is signed in, and Bors, a member."""

    def __init__(self, world: World, group: UserGroup, kay: User, cookie: str) -> None:
        self.world, self.group, self.kay, self.cookie = world, group, kay, cookie
        self.path = f"/groups/{group.id}/import"

    async def page(self, path: str = "", cookie: str = "") -> Response:
        return await get(self.world, f"{self.path}{path}", cookie or self.cookie)

    async def send(self, content: bytes = FILE, step: str = "check", cookie: str = "", **more: Any) -> Response:
        headers = {"Cookie": cookie or self.cookie} | more.pop("headers", {})
        files = {"file": ("knights.csv", content, "text/csv")}
        data = {"step": step} | more
        return await self.world.client.post(f"/account{self.path}", files=files, data=data, headers=headers)

    async def nothing_happened(self) -> bool:
        return not await invited(self.world, self.group) and await members(self.world, self.group) == {
            "kay": "admin", "bors": "member"
        }  # fmt: skip


@pytest.fixture
async def table(world: World) -> Table:
    kay, bors = [await world.user(name, is_verified=True) for name in ("kay", "bors")]
    group = await world.group("Round <Table>", Visibility.PRIVATE, members={kay: Role.ADMIN, bors: Role.MEMBER})
    return Table(world, group, kay, await enter(world, kay.email))


def counts(answer: Response) -> dict[str, str]:
    page = Page(answer.text)
    values = [each.text for each in page.find("dd")]
    return dict(zip([each.text for each in page.find("dt")], values, strict=True))


def faults(answer: Response) -> list[Sequence[str]]:
    cells = [each.text.strip() for each in Page(answer.text).find("td")]
    return [cells[start : start + 3] for start in range(0, len(cells), 3)]


async def test_check_says_what_the_import_would_do_and_changes_nothing(table: Table) -> None:
    checked = await table.send()

    assert checked.status_code == 200
    said = counts(checked)
    assert said["Would be invited by email"] == "2"
    assert said["Members already: they keep their role"] == "1"
    assert said["Invited already: they keep their invitation"] == "0"
    assert "choose the same file again" in Page(checked.text).one(role="status").text
    assert await table.nothing_happened()
    assert "members.imported" not in await events(table.world, table.group)


async def test_import_is_stored_for_the_worker_and_leads_to_its_page(table: Table) -> None:
    sent = await table.send(step="import")

    assert sent.status_code == 303
    assert re.fullmatch(rf"/account/groups/{table.group.id}/imports/[0-9]+", sent.headers["location"])
    assert await table.nothing_happened()


async def test_page_says_that_superusers_add_users_at_once(table: Table) -> None:
    merlin = await table.world.user("merlin", superuser=True, is_verified=True)
    await table.world.user("lancelot")
    cookie = await enter(table.world, merlin.email)
    page, content = await table.page(cookie=cookie), b"email\nlancelot@camelot.example.com\n"
    checked = await table.send(content, "check", cookie)

    assert "become members at once" in page.text
    assert counts(checked)["Would be added as members"] == "1"


async def test_form_takes_a_file_and_says_that_none_is_kept(table: Table) -> None:
    page = Page((await table.page()).text)
    file, form = page.one("input", name="file"), page.one("form", method="post")

    assert form.attributes["enctype"] == "multipart/form-data"
    assert file.attributes["aria-describedby"] == "file-hint"
    assert "At most 5 MB and 50,000 rows. The file isn't kept" in page.one(id="file-hint").text
    assert [each.attributes["value"] for each in page.find("button", name="step")] == ["check", "import"]


@pytest.mark.parametrize("step", ["check", "import"])
async def test_faults_are_listed_by_line_and_column_in_words(table: Table, step: str) -> None:
    content = "email,role,note\nlot@example.com,king,\nnot an address,,\nlot@example.com,owner,\nban@example.com,,x,y\n"
    refused = await table.send(content.encode(), step)

    assert refused.status_code == 422
    assert alert(refused) == "The file has lines that can't be imported. Nothing was changed."
    assert faults(refused) == [
        ["2", "role", "The role has to be “member” or “admin”."],
        ["3", "email", "Enter an email address like name@example.com."],
        ["4", "role", TEXTS["owner"]],
        ["5", "The whole line", TEXTS["too_many_columns"]],
    ]
    assert await table.nothing_happened()


@pytest.mark.parametrize(
    ("content", "column", "text"),
    [
        (b"name\nlot@example.com\n", "email", TEXTS["missing"]),
        (b"email,email\n", "email", "Two columns have this name."),
        (b"email,king\n", "king", "This column isn't known. Possible are: email, role, note, "),
        (b"email\nlot@example.com\nLOT@example.com\n", "email", "An earlier line has the same email address."),
        (b'email,note\nlot@example.com,"a"b\n', "The whole line", 'is written like this: "a ""b"", c"'),
        (b"email\n\xff@example.com\n", "The whole line", TEXTS["unicode"]),
        (b"\xd0\xcf\x11\xe0", "The whole line", TEXTS["spreadsheet"]),
        (b"\n", "The whole line", TEXTS["empty"]),
        (b"email\n" + b"x" * (RECORD_LENGTH + 1), "The whole line", "The line is longer than 8192 characters."),
        (b"email,note\nlot@example.com," + b"x" * 501, "note", "This is too long."),
        (b"email,note\nlot@example.com,\x01", "note", "This contains characters that aren't allowed."),
        ("email,note\nlot@example.com,a\u202eb".encode(), "note", "This contains characters that aren't allowed."),
        ("email,note\nlot@example.com,a" + "\u0301" * 31, "note", "This isn't valid."),
    ],
)
async def test_every_kind_of_fault_has_words(table: Table, content: bytes | str, column: str, text: str) -> None:
    refused = await table.send(content.encode() if isinstance(content, str) else content)

    (fault,) = faults(refused)
    assert fault[1] == column
    assert text in fault[2]


async def test_only_the_first_faults_are_listed_and_the_page_says_so(table: Table) -> None:
    refused = await table.send(b"email\n" + b"x\n" * (FAULTY_ROWS_MAX + 1))

    assert len(faults(refused)) == FAULTY_ROWS_MAX
    assert "There may be more: these are the first." in refused.text


async def test_file_of_another_encoding_is_read_if_one_says_so(table: Table) -> None:
    content = "email,note\nlot@example.com,Käse\n".encode("windows-1252")
    refused, sent = await table.send(content), await table.send(content, "import", charset="windows-1252")
    kept = await table.send(b"email\nx\n", charset="windows-1252")

    assert (refused.status_code, sent.status_code) == (422, 303)
    assert Page(kept.text).one("option", selected="").attributes["value"] == "windows-1252"


@pytest.mark.parametrize("step", ["", "IMPORT", "delete"])
async def test_only_the_button_that_says_so_imports(table: Table, step: str) -> None:
    answer = await table.send(step=step)

    assert answer.status_code == 200
    assert await table.nothing_happened()


async def test_form_without_a_file_is_refused_at_its_field(table: Table) -> None:
    empty = await table.send(b"")
    missing = await table.world.client.post(
        f"/account{table.path}", files={"other": ("x", b"x")}, headers={"Cookie": table.cookie}
    )

    for answer in (empty, missing):
        assert answer.status_code == 422
        assert Page(answer.text).one(id="file-fault").text == "Please fill in this field."


async def test_form_of_another_type_or_a_malformed_one_is_refused(table: Table) -> None:
    plain = await post(table.world, table.path, table.cookie, file="email")
    headers = {"Cookie": table.cookie, "Content-Type": "multipart/form-data; boundary=x"}
    bad = [
        await table.world.client.post(f"/account{table.path}", content=content, headers=headers)
        for content in (b"nonsense", b"--x\r\nContent-Disposition: form-data\r\n\r\n\r\n--x--\r\n")
    ]

    assert plain.status_code == 415
    assert [each.status_code for each in bad] == [400, 400]
    assert all(each.headers["content-type"].startswith("text/html") for each in (plain, *bad))


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "same-site"}]
)
async def test_upload_from_elsewhere_is_refused(table: Table, headers: dict[str, str]) -> None:
    refused = await table.send(step="import", headers=headers)

    assert refused.status_code == 403
    assert await table.nothing_happened()


async def test_upload_of_the_own_page_is_accepted(table: Table) -> None:
    headers = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}

    assert (await table.send(step="import", headers=headers)).status_code == 303


async def test_file_may_be_as_large_as_for_the_api_and_a_larger_one_is_refused_as_a_page(table: Table) -> None:
    row = b"%05d@example.com,," + b"x" * 450 + b"\n"
    large = b"email,role,note\n" + b"".join(row % number for number in range(900))
    too_large = await table.send(b"x" * 5 * 1024 * 1024)

    assert len(large) > 400_000
    assert (await table.send(large)).status_code == 200
    assert too_large.status_code == 413
    assert "This is too long. Nothing was changed." in too_large.text


async def test_members_strangers_and_visitors_see_no_page_and_import_nothing(table: Table) -> None:
    await table.world.user("mordred", is_verified=True)
    bors, mordred = [await enter(table.world, f"{name}@camelot.example.com") for name in ("bors", "mordred")]
    paths = (table.path, f"{table.path}/example.csv", f"/groups/{table.group.id}/members.csv")

    assert {(await get(table.world, path, bors)).status_code for path in paths} == {403}
    assert {(await get(table.world, path, mordred)).status_code for path in paths} == {404}
    assert {(await get(table.world, path)).status_code for path in paths} == {303}
    assert [(await table.send(step="import", cookie=each)).status_code for each in (bors, mordred)] == [403, 404]
    assert await table.nothing_happened()


async def test_admin_who_was_demoted_meanwhile_imports_nothing(table: Table) -> None:
    await table.page()
    await table.world.sql("UPDATE membership SET role = 'member'")
    refused = await table.send(step="import")

    assert refused.status_code == 403
    assert not await invited(table.world, table.group)


async def test_unverified_admin_is_asked_to_confirm_the_own_address_first(table: Table) -> None:
    await table.world.sql('UPDATE "user" SET is_verified = false')
    page, refused = await table.page(), await table.send(step="import")

    assert "Confirm your email address before you invite others" in page.text
    assert Page(page.text).find("input", type="file") == []
    assert refused.status_code == 403
    assert alert(refused) == "Please confirm your email address first."


async def test_too_many_files_are_refused_with_the_time_to_wait(table: Table) -> None:
    table.world.change_settings(throttle_scale=1, throttle_scale_requests=0.04)
    answers = [await table.send() for _ in range(3)]

    assert answers[-1].status_code == 429
    assert "Please try again in " in answers[-1].text
    assert "retry-after" in answers[-1].headers


async def test_file_with_more_rows_than_invitations_are_allowed_is_refused_on_the_form(table: Table) -> None:
    table.world.change_settings(throttle_scale=1, throttle_scale_mail=0.001)
    refused = await table.send(FILE + b"galahad@example.com,,\n", step="import")

    assert refused.status_code == 422
    assert alert(refused) == "The file invites more people than you may invite in a day. Please split it."
    assert await table.nothing_happened()


async def test_busy_server_asks_to_try_again(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table.world.state["bulk"], "_running", CONNECTIONS)
    refused = await table.send(step="import")

    assert refused.status_code == 503
    assert "retry-after" in refused.headers
    assert await table.nothing_happened()


async def test_example_can_be_imported(table: Table) -> None:
    example = await table.page("/example.csv")
    checked = await table.send(example.content)

    assert example.headers["content-type"].startswith("text/csv")
    assert 'filename="example.csv"' in example.headers["content-disposition"]
    assert counts(checked)["Would be invited by email"] == "2"


async def test_export_downloads_what_the_api_gives(table: Table) -> None:
    page = Page((await table.page()).text)
    link = page.one("a", href=f"/account/groups/{table.group.id}/members.csv").attributes["href"]
    exported = await get(table.world, link.removeprefix("/account"), table.cookie)

    assert exported.content.startswith(b"\xef\xbb\xbfuser_id,email,")
    assert {row["email"] for row in rows_of(exported)} == {"kay@camelot.example.com", "bors@camelot.example.com"}
    assert f"group-{table.group.id}-members.csv" in exported.headers["content-disposition"]


async def test_hostile_texts_are_inert_in_both_languages(table: Table) -> None:
    await table.world.sql(f"UPDATE user_group SET name = $${HOSTILE}$$")  # noqa: S608  # a constant
    for language in ("en", "de"):
        headers = {"Accept-Language": language}
        refused = await table.send(f"email,{HOSTILE}\n".replace('"', "").encode(), headers=headers)
        page = Page(refused.text)

        assert page.find("script") == []
        assert HOSTILE in page.one("h1").text
        assert page.find("td")[1].text.strip().startswith("<script>alert(1)</script>")
