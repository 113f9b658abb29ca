"""A page says what was done after the action only, once, and to the browser that did it: a link can't have it said."""

import re
from collections import Counter
from pathlib import Path

import pytest

from accounts.api.account_pages.done_messages import DONE_COOKIE, done_texts
from accounts.api.account_pages.results import RESULTS
from accounts.api.account_pages.router import MODULES as ACCOUNT_PAGES
from accounts.api.admin_pages.router import MODULES as ADMIN_PAGES
from accounts.models import Role
from support.account_pages import done_cookie, enter, get, message, post
from support.html import Page
from support.operations import PATH_VALUES, Operation, name_of, page_operations
from support.people import World

MODULES = (*ACCOUNT_PAGES, *ADMIN_PAGES)
PAGES = [each for each in page_operations() if each.method == "get"]
USUAL = {"done", "message", "success", "status", "result"}  # names of such parameters elsewhere


def written(call: str) -> set[str]:
    sources = [Path(str(module.__file__)).read_text() for module in MODULES]
    return {name for source in sources for name in re.findall(rf'{call}"([a-z-]+)"', source)}


def test_each_action_has_a_text_or_a_page_of_results() -> None:
    texts = Counter(name for module in MODULES for name in getattr(module, "DONE", {}))

    assert written("done=") <= done_texts(MODULES).keys()
    assert written(r"redirect_to_result\(") <= RESULTS.keys()
    assert set(texts.values()) == {1}
    assert not texts.keys() & RESULTS.keys()


@pytest.mark.parametrize("operation", PAGES, ids=name_of)
async def test_no_link_has_a_page_say_that_something_was_done(world: World, operation: Operation) -> None:
    arthur = await world.user("arthur", superuser=True)
    group = await world.group("Round Table", members={arthur: Role.OWNER})
    path = operation.path.format_map(PATH_VALUES | {"group_id": group.id, "user_id": arthur.id})
    declared = {each["name"] for each in operation.description.get("parameters", ()) if each["in"] == "query"}
    cookie = await enter(world, arthur.email)

    for name in sorted(USUAL | declared):
        for sent in ("", cookie):
            answer = await world.client.get(path, params={name: "session-ended"}, headers={"Cookie": sent})
            assert "The device was signed out." not in answer.text
            assert DONE_COOKIE not in answer.headers.get("set-cookie", "")


@pytest.mark.parametrize("name", RESULTS)
async def test_result_is_shown_to_the_browser_that_did_it_and_leads_others_on(world: World, name: str) -> None:
    shown = await get(world, f"/done/{name}", f"{DONE_COOKIE}={name}")
    again = await get(world, f"/done/{name}", f"{DONE_COOKIE}={name}")
    linked = await get(world, f"/done/{name}")
    did_another = await get(world, f"/done/{name}", f"{DONE_COOKIE}=session-ended")

    assert Page(shown.text).one("p", role="status").text == RESULTS[name].message
    assert again.text == shown.text  # in another language, for example
    assert [each.status_code for each in (linked, did_another)] == [303, 303]
    assert linked.headers["location"] == f"/account{RESULTS[name].page}"


async def test_message_is_shown_once(world: World) -> None:
    await world.user("arthur")
    other, cookie = await enter(world), await enter(world)
    listed = Page((await get(world, "/sessions", cookie)).text)

    ended = await post(world, "/sessions", cookie, session=listed.one(name="session").attributes["value"])
    [given] = ended.headers.get_list("set-cookie")
    shown = await get(world, "/sessions", f"{cookie}; {done_cookie(ended)}")

    assert ended.headers["location"] == "/account/sessions"
    assert given.startswith("__Host-accounts-done=session-ended:; HttpOnly; Max-Age=300; Path=/; SameSite=lax; Secure")
    assert await message(world, ended, cookie) == "The device was signed out."
    assert shown.headers["set-cookie"].startswith('__Host-accounts-done=""; ')
    assert "Max-Age=0" in shown.headers["set-cookie"]
    assert (await get(world, "", other)).status_code == 303


async def test_refused_page_keeps_the_message_for_the_next_one(world: World) -> None:
    await world.user("arthur")
    cookie = f"{await enter(world)}; {DONE_COOKIE}=session-ended:"

    refused = await get(world, "/nowhere", cookie)

    assert "The device was signed out." not in refused.text
    assert "set-cookie" not in refused.headers


@pytest.mark.parametrize("value", ["you-won", "group-left", "group-left:", "sent:", ":", "%00"])
async def test_cookie_with_an_unknown_text_or_without_its_name_shows_nothing(world: World, value: str) -> None:
    await world.user("arthur")

    page = await get(world, "/groups", f"{await enter(world)}; {DONE_COOKIE}={value}")

    assert Page(page.text).find(role="status") == []
