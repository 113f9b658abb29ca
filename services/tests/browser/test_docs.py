"""The page /docs in Chromium: users sign in there and try operations out."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from support.axe import violations
from support.chromium import needs_chromium
from support.gunicorn import gunicorn
from support.node import needs_node
from support.people import World
from support.served import served
from support.waiting import PATIENCE

pytestmark = [needs_chromium, pytest.mark.slow(seconds=20)]
EMAIL, PASSWORD = "arthur@example.com", "correct-horse-battery"


@pytest.fixture
async def page(browser: Browser, fresh_database: str) -> AsyncIterator[Page]:
    with gunicorn(fresh_database, workers=1) as server:
        server.api.post("/auth/register", json={"email": EMAIL, "password": PASSWORD})
        page = await browser.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        await page.goto(f"{server.api.base_url}/docs".replace("//docs", "/docs"))
        yield page
        await page.close()


@pytest.fixture
async def lone_page(browser: Browser, busy_world: World, request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    """Open the page in a color scheme, without a sign-in."""
    async with served(busy_world) as url:
        page = await browser.new_page(color_scheme=request.param, viewport={"width": 390, "height": 800})
        page.set_default_timeout(PATIENCE * 1000)
        await page.goto(f"{url}/docs")
        yield page
        await page.close()


async def try_out(page: Page, operation: str) -> Locator:
    """Open the form of an operation."""
    form = page.locator(f"[id$={operation}]")
    await form.locator(".opblock-summary-control").click()
    await form.get_by_role("button", name="Try it out").click()
    return form


async def test_authorize_signs_in_for_later_requests(page: Page) -> None:
    await page.get_by_role("button", name="Authorize").first.click()
    dialog = page.locator(".dialog-ux")
    await expect(dialog.locator("input:visible, select:visible")).to_have_count(2)
    await dialog.get_by_label("Email:").fill(EMAIL)
    await dialog.get_by_label("Password:").fill(PASSWORD)
    await dialog.get_by_role("button", name="Authorize").click()
    await expect(dialog.get_by_role("button", name="Logout")).to_be_visible()
    await dialog.get_by_role("button", name="Close").last.click()

    form = await try_out(page, "read_me")
    await form.get_by_role("button", name="Execute").click()
    await expect(form.locator(".live-responses-table")).to_contain_text(EMAIL)


async def test_form_of_the_sign_in_needs_email_and_password_only(page: Page) -> None:
    form = await try_out(page, "-login")
    for name, value in (("username", EMAIL), ("password", PASSWORD)):
        await form.locator(f"tr[data-property-name={name}] input").first.fill(value)
    await form.get_by_role("button", name="Execute").click()

    await expect(form.locator(".live-responses-table")).to_contain_text("refresh_token")


@needs_node
@pytest.mark.parametrize("lone_page", ["light", "dark"], indirect=True)
async def test_page_has_no_barriers(lone_page: Page) -> None:
    page = lone_page
    await expect(page.locator(".info")).to_contain_text("Your first call")
    assert await violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    await page.get_by_role("button", name="Authorize").first.click()
    assert await violations(page) == []
    await page.get_by_role("button", name="Close").last.click()

    await try_out(page, "-login")
    assert await violations(page) == []
