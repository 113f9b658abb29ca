"""The page of one import: its progress, its end in words, and what admins of the group may do with it."""

import re

import pytest
from httpx2 import Response

from accounts.api.account_pages.group_imports import REASONS, UNFORESEEN
from accounts.domain.member_imports.managing import LIST_LENGTH
from accounts.models import Role, User, UserGroup, Visibility
from support.account_pages import alert, enter, get, post
from support.html import Page
from support.member_files import events, invited, members
from support.member_imports import FILE, run_imports, store_import, value_of
from support.people import World

HOSTILE = "<script>alert(1)</script>\"' \u05d0\u05d1"


class Imports:
    """A group of Kay, its admin, and Bors, a member. Kay imports into it."""

    def __init__(self, world: World, group: UserGroup, kay: User, cookie: str) -> None:
        self.world, self.group, self.kay, self.cookie = world, group, kay, cookie
        self.list = f"/groups/{group.id}/import"
        self.id = 0

    @property
    def path(self) -> str:
        return f"/groups/{self.group.id}/imports/{self.id}"

    async def store(self, content: bytes = FILE, name: str = "knights.csv") -> None:
        self.id = await store_import(self.world, self.group, self.kay, content, name)

    async def run(self) -> None:
        await run_imports(self.world)

    async def set(self, assignments: str) -> None:
        await self.world.sql(f"UPDATE member_import SET {assignments} WHERE id = {self.id}")  # noqa: S608

    async def page(self, path: str = "", language: str = "en") -> Page:
        headers = {"Cookie": self.cookie, "Accept-Language": language}
        answer = await self.world.client.get(f"/account{path or self.path}", headers=headers)
        assert answer.status_code == 200, answer.text
        return Page(answer.text)

    async def cancel(self, cookie: str = "") -> Response:
        return await post(self.world, f"{self.path}/cancel", cookie or self.cookie)


@pytest.fixture
async def imports(world: World) -> Imports:
    kay = await world.user("kay", is_verified=True, display_name="Kay")
    bors = await world.user("bors", is_verified=True)
    group = await world.group("Round <Table>", Visibility.PRIVATE, members={kay: Role.ADMIN, bors: Role.MEMBER})
    return Imports(world, group, kay, await enter(world, kay.email))


def state(page: Page) -> str:
    return page.one(role="status").text


def facts(page: Page) -> dict[str, str]:
    return dict(zip(*([each.text.strip() for each in page.find(name)] for name in ("dt", "dd")), strict=True))


async def test_waiting_import_shows_its_rows_and_can_be_left(imports: Imports) -> None:
    await imports.store()
    page = await imports.page()

    assert "waits for its turn" in state(page)
    assert page.one("label", for_="progress").text == "0 of 3 rows are done"
    assert page.one("progress").attributes | {"value": "0", "max": "3"} == page.one("progress").attributes
    assert "You can leave this page. The import goes on." in page.one("main").text
    assert page.one("a", href=f"/account{imports.path}").text == "Check again"
    assert facts(page) | {"Imported by": "Kay", "Rows of the file": "3"} == facts(page)


async def test_running_import_shows_its_progress(imports: Imports) -> None:
    await imports.store()
    await imports.set("status = 'running', done = 2")
    page = await imports.page()

    assert "The import is running." in state(page)
    assert page.one("progress").attributes["value"] == "2"
    assert "no progress for a minute" not in state(page)


async def test_finished_import_says_what_was_done(imports: Imports) -> None:
    await imports.store()
    await imports.run()
    page = await imports.page()

    assert "The import is finished." in state(page)
    assert not page.find("progress")
    assert facts(page)["Invited by email"] == "2"
    assert facts(page)["Members already: they keep their role"] == "1"
    assert await invited(imports.world, imports.group) == {
        ("lot@example.com", "admin", ""),
        ("ban@example.com", "member", "A seat"),
    }
    assert await members(imports.world, imports.group) == {"kay": "admin", "bors": "member"}
    assert (await events(imports.world, imports.group))["members.imported"] == 1


async def test_same_file_twice_sends_no_second_invitation(imports: Imports) -> None:
    for _ in range(2):
        await imports.store()
        await imports.run()
    page = await imports.page()

    assert facts(page)["Invited already: they keep their invitation"] == "2"
    assert "sent one after another" not in page.one("main").text
    assert len(await invited(imports.world, imports.group)) == 2


async def test_superuser_adds_users_at_once(imports: Imports) -> None:
    await imports.world.sql('UPDATE "user" SET is_superuser = true')
    await imports.world.user("lancelot")
    await imports.store(b"email\nlancelot@camelot.example.com\n")
    await imports.run()

    assert facts(await imports.page())["Added as members"] == "1"
    assert (await members(imports.world, imports.group))["lancelot"] == "member"


async def test_script_is_only_on_the_page_of_an_open_import(imports: Imports) -> None:
    await imports.store()
    answer = await get(imports.world, imports.path, imports.cookie)
    open_page = Page(answer.text)
    await imports.run()
    ended = await imports.page()

    assert open_page.one("script").attributes["src"] == "/account/static/progress.js"
    assert "script-src 'self'; connect-src 'self'" in answer.headers["content-security-policy"]
    assert not ended.find("script")
    live = {each.attributes["id"] for each in open_page.find() if "data-live" in each.attributes}
    assert live == {each.attributes["id"] for each in ended.find() if "data-live" in each.attributes}


async def test_open_import_without_progress_for_a_minute_says_so(imports: Imports) -> None:
    await imports.store()
    await imports.set("progressed_at = now() - interval '61 seconds'")
    stalled = state(await imports.page())
    await imports.run()

    assert "no progress for a minute" in stalled
    assert "Nothing is lost" in stalled
    assert "no progress for a minute" not in state(await imports.page())


async def test_second_import_is_refused_and_the_page_leads_to_the_first(imports: Imports) -> None:
    await imports.store()
    files = {"file": ("x.csv", FILE, "text/csv")}
    refused = await imports.world.client.post(
        f"/account{imports.list}", files=files, data={"step": "import"}, headers={"Cookie": imports.cookie}
    )

    assert refused.status_code == 409
    assert "Another import of yours, or into this group, is in progress." in alert(refused)
    assert Page(refused.text).find("a", href=f"/account{imports.path}")[0].text == "See its progress"


async def test_import_page_lists_imports_the_newest_first(imports: Imports) -> None:
    assert "Imports of the last 30 days" not in (await imports.page(imports.list)).one("main").text

    await imports.store()
    first = imports.path
    await imports.run()
    await imports.store()
    page = await imports.page(imports.list)
    cells = [each.text.strip() for each in page.find("td")]
    links = [each.attributes["href"] for each in page.find("a") if "/imports/" in each.attributes.get("href", "")]

    assert links == [f"/account{each}" for each in (imports.path, imports.path, first)]  # the first is in the notice
    assert cells[1:4] == ["Kay", "3", "Waiting"]
    assert cells[5:8] == ["Kay", "3", "Finished"]


async def test_list_has_an_end_and_says_so(imports: Imports) -> None:
    await imports.store()
    await imports.run()
    await imports.world.sql(f"""
        INSERT INTO member_import (group_id, actor_id, total, status, finished_at)
        SELECT group_id, actor_id, 1, 'finished', now() FROM member_import, generate_series(1, {LIST_LENGTH})
    """)  # noqa: S608  # a number is interpolated
    page = await imports.page(imports.list)

    assert len(page.find("td")) == 4 * LIST_LENGTH
    assert "These are the newest." in page.one("main").text


async def test_cancelled_import_changes_nothing(imports: Imports) -> None:
    await imports.store()
    cancelled = await imports.cancel()
    await imports.run()

    assert (cancelled.status_code, cancelled.headers["location"]) == (303, f"/account{imports.path}")
    assert "was cancelled. Nothing was changed." in state(await imports.page())
    assert not await invited(imports.world, imports.group)


async def test_finished_import_cannot_be_cancelled(imports: Imports) -> None:
    await imports.store()
    await imports.run()
    await imports.cancel()

    assert "The import is finished." in state(await imports.page())
    assert len(await invited(imports.world, imports.group)) == 2


async def test_only_those_who_may_import_see_and_cancel(imports: Imports) -> None:
    await imports.store()
    await imports.world.user("mordred")
    bors, mordred = [await enter(imports.world, f"{name}@camelot.example.com") for name in ("bors", "mordred")]

    assert [(await get(imports.world, imports.path, each)).status_code for each in (bors, mordred)] == [403, 404]
    assert [(await imports.cancel(each)).status_code for each in (bors, mordred)] == [403, 404]
    assert "waits for its turn" in state(await imports.page())


async def test_import_is_found_in_its_own_group_only(imports: Imports) -> None:
    await imports.store()
    other = await imports.world.group("Other", members={imports.kay: Role.ADMIN})
    elsewhere = f"/groups/{other.id}/imports/{imports.id}"
    await post(imports.world, f"{elsewhere}/cancel", imports.cookie)

    assert (await get(imports.world, elsewhere, imports.cookie)).status_code == 404
    assert (await get(imports.world, f"/groups/{other.id}/imports/{2**62}", imports.cookie)).status_code == 404
    assert "waits for its turn" in state(await imports.page())


@pytest.mark.parametrize("language", ["en", "de"])
async def test_refusals_are_explained_in_the_language_of_the_viewer(imports: Imports, language: str) -> None:
    await imports.store()
    for code in (*REASONS, "INTERNAL_SERVER_ERROR"):
        await imports.set(f"status = 'refused', error = '{code}', finished_at = now(), rows = NULL, request = NULL")
        said = state(await imports.page(language=language))

        assert (REASONS.get(code, UNFORESEEN) in said) is (language == "en")


async def test_refusal_by_a_limit_says_when_to_try_again(imports: Imports) -> None:
    await imports.store()
    await imports.set(
        "status = 'refused', error = 'TOO_MANY_ATTEMPTS', finished_at = now(), rows = NULL, request = NULL, "
        "retry_at = now() + interval '3 hours'"
    )

    assert re.search("You can try again in (2|3) hours", state(await imports.page()))


async def test_name_of_the_file_is_not_stored_and_hostile_names_are_inert(imports: Imports) -> None:
    await imports.world.sql(f'UPDATE "user" SET display_name = $${HOSTILE}$$')  # noqa: S608  # a constant
    await imports.store(name="../../etc/passwd <script>.csv")
    row = await value_of(imports.world, "SELECT CAST(member_import AS text) FROM member_import")

    assert "passwd" not in row
    for path in (imports.path, imports.list):
        page = await imports.page(path)
        assert HOSTILE in page.one("main").text
        assert "alert" not in "".join(each.text for each in page.find("script"))
