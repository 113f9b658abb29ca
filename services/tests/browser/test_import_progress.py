"""An import in Chromium: its page keeps itself up to date, by a script, and without scripts by a link."""

import os
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from accounts.domain.member_imports.progress import Progress
from accounts.models import Role
from support.chromium import needs_chromium
from support.member_imports import FILE, run_imports
from support.people import PASSWORD, World
from support.served import served
from support.waiting import PATIENCE

pytestmark = [needs_chromium, pytest.mark.slow(seconds=20)]
PICTURES = os.environ.get("PICTURES")


async def begin(page: Page, url: str, world: World) -> int:
    """Sign in as Kay, and import a file into a group of hers."""
    kay = await world.user("kay", is_verified=True, display_name="Kay")
    group = await world.group("Round Table", members={kay: Role.ADMIN})
    page.set_default_timeout(PATIENCE * 1000)
    await page.goto(f"{url}/account/sign-in")
    await page.locator("#username").fill(kay.email)
    await page.locator("#password").fill(PASSWORD)
    await page.locator("#password").press("Enter")
    await page.wait_for_url("**/account")
    await page.goto(f"{url}/account/groups/{group.id}/import")
    await page.locator("#file").set_input_files({"name": "knights.csv", "mimeType": "text/csv", "buffer": FILE})
    await page.get_by_role("button", name="Import now").press("Enter")
    await page.wait_for_url("**/imports/*")
    return int(page.url.rpartition("/")[2])


async def picture(page: Page, name: str) -> None:
    if PICTURES:
        await page.screenshot(path=Path(PICTURES, f"{name}.png"), full_page=True)


@pytest.mark.parametrize("scripts", [True, False])
async def test_page_shows_the_progress_and_the_end(browser: Browser, busy_world: World, *, scripts: bool) -> None:
    context = await browser.new_context(
        java_script_enabled=scripts, viewport={"width": 1280 if scripts else 360, "height": 800}
    )
    page, loads = await context.new_page(), []
    async with served(busy_world) as url:
        import_id = await begin(page, url, busy_world)
        page.on("framenavigated", lambda _: loads.append(page.url))
        state, cancel = page.get_by_role("status"), page.get_by_role("button", name="Cancel the import")
        await expect(state).to_contain_text("waits for its turn")
        await cancel.focus()

        await Progress(busy_world.sessionmaker, import_id).write(2)
        if not scripts:
            await page.get_by_role("link", name="Check again").click()
        await expect(page.get_by_role("progressbar", name="2 of 3 rows are done")).to_be_visible(
            timeout=PATIENCE * 1000
        )
        await expect(state).to_contain_text("The import is running.")
        if scripts:
            await expect(cancel).to_be_focused()
        await picture(page, f"running-{scripts}")

        await run_imports(busy_world)
        if not scripts:
            await page.get_by_role("link", name="Check again").click()
        await expect(state).to_contain_text("The import is finished.", timeout=PATIENCE * 1000)
        await expect(cancel).to_have_count(0)
        await picture(page, f"finished-{scripts}")
        if scripts:
            assert loads == []
            await expect(page.locator("#content")).to_be_focused()
    await context.close()
