"""The page of docs/browsers.md: an application of another origin, in Chromium, with tokens and without cookies."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.async_api import Browser, BrowserContext, Error, Page, Request, Route, expect

from support.chromium import needs_chromium
from support.gunicorn import gunicorn
from support.processes import free_port
from support.project import ROOT, blocks
from support.waiting import PATIENCE

pytestmark = [needs_chromium, pytest.mark.slow(seconds=30)]
EMAIL, PASSWORD = "arthur@example.com", "correct-horse-battery"
SIGNED_IN = f"{EMAIL}: Round Table"
ACCESS_TOKEN_SECONDS = 3
GLOBAL = "globalThis.call = call;\n</script>"  # for the tests
CALLS = "Promise.all([1, 2, 3].map(() => call('/users/me'))).then((all) => all.map((response) => response.status))"


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and logs nothing."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def origin_of(folder: Path, port: int = 0) -> Iterator[str]:
    """Serve a folder as the files of an origin."""
    with ThreadingHTTPServer(("127.0.0.1", port), partial(Quiet, directory=folder)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


class Application:
    """The application of the page, and the API, which allows its origin."""

    def __init__(self, url: str, api: str, context: BrowserContext) -> None:
        self.url, self.api, self.context = url, api, context
        self.refreshes: list[str] = []  # the bodies of all requests for a refresh
        context.on("request", self._note)

    def _note(self, request: Request) -> None:
        if request.url.endswith("/auth/jwt/refresh"):
            self.refreshes.append(request.post_data or "")

    async def tab(self) -> Page:
        page = await self.context.new_page()
        await page.goto(self.url)
        return page

    async def signed_in(self) -> Page:
        page = await self.tab()
        await page.get_by_label("Email").fill(EMAIL)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await shows(page, SIGNED_IN)
        return page


async def shows(page: Page, text: str) -> None:
    await expect(page.get_by_role("status")).to_have_text(text)


@pytest.fixture
async def application(browser: Browser, fresh_database: str, tmp_path: Path) -> AsyncIterator[Application]:
    (page,) = [block.text for block in blocks(ROOT / "docs" / "browsers.md") if block.language == "html"]
    port = str(free_port())
    with origin_of(tmp_path) as url:
        settings = {"CORS_ORIGINS": url, "ACCESS_TOKEN_SECONDS": str(ACCESS_TOKEN_SECONDS), "API_PORT": port}
        with gunicorn(fresh_database, 2, **settings) as server:
            api = str(server.api.base_url).rstrip("/")
            (tmp_path / "index.html").write_text(
                page.replace("http://localhost:8000", api).replace("</script>", GLOBAL)
            )
            server.api.post("/auth/register", json={"email": EMAIL, "password": PASSWORD})
            tokens = server.api.post("/auth/jwt/login", data={"username": EMAIL, "password": PASSWORD}).json()
            headers = {"Authorization": f"Bearer {tokens['access_token']}"}
            server.api.post("/user-groups", json={"name": "Round Table"}, headers=headers)
            context = await browser.new_context()
            context.set_default_timeout(PATIENCE * 1000)
            yield Application(url, api, context)
            await context.close()


async def test_user_signs_in_stays_signed_in_and_signs_out(application: Application) -> None:
    page = await application.tab()
    await shows(page, "Signed out")
    page = await application.signed_in()

    await page.reload()
    await shows(page, SIGNED_IN)
    await page.get_by_role("button", name="Sign out").click()
    await shows(page, "Signed out")
    await page.reload()
    await shows(page, "Signed out")

    assert len(application.refreshes) == 1
    assert await application.context.cookies() == []


async def test_requests_of_two_tabs_with_expired_tokens_use_each_refresh_token_once(application: Application) -> None:
    first, second = await application.signed_in(), await application.tab()
    await shows(second, SIGNED_IN)
    application.refreshes.clear()
    await asyncio.sleep(ACCESS_TOKEN_SECONDS + 1)

    statuses = await asyncio.gather(first.evaluate(CALLS), second.evaluate(CALLS))

    assert [*statuses] == [[200] * 3] * 2
    assert len(set(application.refreshes)) == len(application.refreshes) == 2


async def test_refresh_whose_response_was_lost_is_repeated(application: Application) -> None:
    page = await application.signed_in()

    async def lose(route: Route) -> None:
        await route.fetch()
        await route.abort()

    await page.route("**/auth/jwt/refresh", lose, times=1)
    await page.reload()

    await shows(page, SIGNED_IN)
    assert len(set(application.refreshes)) == 1


async def test_sign_out_in_one_tab_signs_the_other_out(application: Application) -> None:
    first, second = await application.signed_in(), await application.tab()
    await shows(second, SIGNED_IN)
    await first.get_by_role("button", name="Sign out").click()
    await shows(first, "Signed out")

    with pytest.raises(Error, match="Signed out"):
        await second.evaluate("call('/users/me')")


async def test_browsers_refuse_other_origins_and_cookies(application: Application, tmp_path: Path) -> None:
    page = await application.tab()
    read = f"fetch('{application.api}/user-groups').then((response) => response.status)"
    assert await page.evaluate(read) == 200
    with pytest.raises(Error, match="Failed to fetch"):
        await page.evaluate(read.replace("groups'", "groups', {credentials: 'include'}"))

    with origin_of(tmp_path) as other:
        for url in (other, "data:text/html,null"):
            await page.goto(url)
            with pytest.raises(Error, match="Failed to fetch"):
                await page.evaluate(read)
