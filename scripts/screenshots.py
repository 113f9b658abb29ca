"""Renews the images in ``docs/images``: ``make screenshots``.

It serves a database of its own with the sample data, and takes the pictures with Chromium, in light and dark.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from socket import create_server
from time import monotonic, sleep
from urllib.error import URLError
from urllib.request import urlopen

from playwright.async_api import Browser, ViewportSize, async_playwright

from environment import ROOT
from postgres import throwaway

FOLDER = ROOT / "docs" / "images"
NAMES = ("chromium", "chromium-browser", "google-chrome")
EMAIL, PASSWORD = "arthur@example.com", "correct-horse-battery"  # of the sample data
SIZE: ViewportSize = {"width": 960, "height": 800}
PATIENCE = 60.0
# By file name: the path of a page, and whether a user is signed in. Pages that are not there are left out.
PAGES = {
    "sign-in": ("/account/sign-in", False),
    "account": ("/account", True),
    "group": ("/account/groups/1", True),
    "administration": ("/admin/users", True),
}


@contextmanager
def served() -> Iterator[str]:
    """Serve the sample data until the block ends, and yield the URL."""
    with create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://localhost:{port}"
    with throwaway() as cluster:
        settings = {"ENVIRONMENT": "development", "SECRET_KEY": 40 * "x", "WEB_CONCURRENCY": "1", "LOG_LEVEL": "error"}
        settings |= {"API_PORT": str(port), "PUBLIC_URL": url, "MAIL_FROM": "Camelot <accounts@example.com>"}
        environment = os.environ | settings | {"DATABASE_URL": cluster.url()}
        for command in (["alembic", "upgrade", "head"], ["accounts.seeder"]):
            subprocess.run([sys.executable, "-m", *command], env=environment, check=True, stdout=subprocess.DEVNULL)
        with subprocess.Popen([sys.executable, "-m", "gunicorn"], env=environment) as server:
            try:
                wait_for(f"{url}/health/ready")
                yield url
            finally:
                server.terminate()


def wait_for(url: str) -> None:
    """Wait until a URL answers."""
    end = monotonic() + PATIENCE
    while True:
        try:
            urlopen(url).close()  # noqa: S310  # of this machine
        except URLError:
            if monotonic() > end:
                raise
            sleep(0.2)
        else:
            return


async def photograph(browser: Browser, url: str, scheme: str) -> None:
    """Take a picture of each page in a color scheme."""
    page = await browser.new_page(viewport=SIZE, color_scheme=scheme, locale="en")  # type: ignore[arg-type]  # a text
    for signs_in in (False, True):
        if signs_in:
            await page.goto(f"{url}/account/sign-in")
            await page.locator("#username").fill(EMAIL)
            await page.locator("#password").fill(PASSWORD)
            await page.locator("#password").press("Enter")
            await page.wait_for_url("**/account")
        for name, (path, is_signed_in) in PAGES.items():
            answer = await page.goto(url + path) if is_signed_in == signs_in else None
            if answer and answer.ok:
                await page.evaluate("document.activeElement.blur()")
                await page.screenshot(path=FOLDER / f"{name}-{scheme}.png")
    await page.close()


async def main() -> None:
    """Renew all images."""
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        sys.exit("screenshots: there is no Chromium: apt install chromium")
    FOLDER.mkdir(exist_ok=True)
    os.chdir(ROOT / "services")
    with served() as url:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for scheme in ("light", "dark"):
                await photograph(browser, url, scheme)
            await browser.close()
    print(f"Renewed: {', '.join(sorted(path.name for path in FOLDER.glob('*.png')))}")


if __name__ == "__main__":
    asyncio.run(main())
