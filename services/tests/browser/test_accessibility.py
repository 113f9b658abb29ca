"""Every page in Chromium: no barrier that axe-core finds (WCAG 2.2 AA), no overflow, and a visible focus.

The walk covers all account and admin pages, also those that are added later.
"""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page

from accounts.models import MailKind, Role
from support.axe import violations
from support.browser_checks import RESULT, ask_for_link
from support.chromium import needs_chromium
from support.member_imports import store_import
from support.node import needs_node
from support.operations import PATH_VALUES, page_operations
from support.people import PASSWORD, World
from support.served import served
from support.waiting import PATIENCE

pytestmark = [needs_chromium, needs_node, pytest.mark.slow(seconds=60)]
# Each scheme, width and language occurs: colours, widths and texts do not depend on each other.
LOOKS = [("light", 1280, "en"), ("dark", 390, "de")]
LEFT_OUT = re.compile(r"\{name\}|\.csv$|/download$")  # results are listed apart, and files are no pages
NARROW = 320
# Whether the page scrolls sideways.
OVERFLOW = "document.documentElement.scrollWidth > window.innerWidth"
# The elements that the Tab key reaches without a visible focus.
HIDDEN_FOCUS = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary")]
  .filter(element => element.checkVisibility() && !element.disabled && element.type !== "hidden")
  .filter(element => {
    element.focus();
    const style = getComputedStyle(element);
    return !element.matches(":focus-visible") || style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2;
  })
  .map(element => element.outerHTML.slice(0, 200))"""


async def arrange(world: World) -> dict[str, str]:
    """Store a superuser and what the pages show, and return the values for the parameters of paths."""
    arthur = await world.user("arthur", superuser=True, is_verified=True)
    lancelot = await world.user("lancelot", is_verified=True, display_name="Lancelot " + 40 * "x")
    group = await world.group("Round Table", members={arthur: Role.OWNER, lancelot: Role.MEMBER})
    headers = await world.sign_in(arthur)
    path = f"/user-groups/{group.id}/invitations"
    invitation = await world.client.post(path, json={"email": "elaine@astolat.example.com"}, headers=headers)
    return PATH_VALUES | {
        "import_id": str(await store_import(world, group, arthur)),
        "group_id": str(group.id),
        "user_id": str(lancelot.id),
        "invitation_id": str(invitation.json()["id"]),
    }


def paths(values: dict[str, str], token: str) -> Iterator[str]:
    """Yield the path of every page, and those of all results."""
    for operation in page_operations():
        if operation.method == "get" and not LEFT_OUT.search(operation.path):
            yield operation.path.format_map(values)
    for page in ("invitation", "verify", "reset-password"):
        yield f"/account/{page}?token={token}"
    yield RESULT


@asynccontextmanager
async def browsing(browser: Browser, look: tuple[str, int, str]) -> AsyncIterator[Page]:
    scheme, width, language = look
    context = await browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme=scheme,  # type: ignore[arg-type]  # a text
        locale=language,
    )
    page = await context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    yield page
    await context.close()


async def sign_in(page: Page, url: str) -> None:
    await page.goto(f"{url}/account/sign-in")
    await page.locator("#username").fill("arthur@camelot.example.com")
    await page.locator("#password").fill(PASSWORD)
    await page.locator("#password").press("Enter")
    await page.wait_for_url("**/account")


async def faults(page: Page, width: int) -> list[str]:
    """Return what is wrong with the page that is open, in words."""
    found = await violations(page)
    await page.keyboard.press("Tab")  # from now on, focus is shown
    found += [f"focus is not visible: {each}" for each in await page.evaluate(HIDDEN_FOCUS)]
    for each in {width, NARROW}:
        await page.set_viewport_size({"width": each, "height": 800})
        if await page.evaluate(OVERFLOW):
            found.append(f"scrolls sideways at {each} px")
    await page.set_viewport_size({"width": width, "height": 800})
    return found


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: "-".join(map(str, look)))
async def test_pages_have_no_barriers(browser: Browser, busy_world: World, look: tuple[str, int, str]) -> None:
    values = await arrange(busy_world)
    [mail] = await busy_world.mails(MailKind.INVITATION)
    found: list[str] = []
    async with served(busy_world) as url, browsing(browser, look) as page:
        await ask_for_link(page, url)
        for is_signed_in in (False, True):
            if is_signed_in:
                await sign_in(page, url)
            seen: set[str] = set()
            for path in paths(values, mail.token):
                answer = await page.goto(url + path)
                assert answer
                assert answer.status < 500, path
                if page.url not in seen and answer.headers["content-type"].startswith("text/html"):
                    seen.add(page.url)
                    found += [f"{path}: {each}" for each in await faults(page, look[1])]
            assert url + RESULT in seen
    assert found == []
