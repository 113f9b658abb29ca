"""The Authorize button of another service's documentation signs in at the API, in Chromium."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from threading import Thread
from typing import Annotated
from uuid import UUID

import pytest
from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline
from playwright.async_api import Browser, expect
from uvicorn import Config, Server

from accounts_client import AccessToken, Verifier
from accounts_client.fastapi import Accounts
from keys import key_pair
from support.chromium import needs_chromium
from support.gunicorn import gunicorn
from support.people import PASSWORD, World
from support.processes import free_port
from support.waiting import wait_until

pytestmark = [needs_chromium, pytest.mark.slow(seconds=30)]


def second_service(issuer: str) -> FastAPI:
    verifier = Verifier(issuer)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await verifier.close()

    app, accounts = FastAPIOffline(lifespan=lifespan), Accounts(verifier)

    @app.get("/me")
    async def me(token: Annotated[AccessToken, Depends(accounts)]) -> UUID:
        return token.user_id

    return app


@contextmanager
def serve(app: FastAPI, port: int) -> Iterator[None]:
    server = Server(Config(app, port=port, log_level="error"))
    thread = Thread(target=server.run)
    thread.start()
    try:
        wait_until("the second service runs", lambda: server.started)
        yield
    finally:
        server.should_exit = True
        thread.join()


async def test_user_signs_in_on_the_documentation_of_another_service(
    browser: Browser, fresh_database: str, busy_world: World
) -> None:
    arthur = await busy_world.user("arthur")
    port, second = free_port(), free_port()
    url, docs = f"http://localhost:{port}", f"http://localhost:{second}/docs"
    settings = {"CORS_ORIGINS": docs.removesuffix("/docs"), "API_PORT": str(port), "PUBLIC_URL": url}
    with (
        gunicorn(fresh_database, workers=1, SIGNING_KEY=key_pair(), **settings),
        serve(second_service(url), second),
    ):
        page = await browser.new_page()
        await page.goto(docs)
        await page.get_by_role("button", name="Authorize").first.click()
        dialog = page.locator(".dialog-ux")
        await dialog.get_by_label("username:").fill(arthur.email)
        await dialog.get_by_label("password:").fill(PASSWORD)
        await dialog.locator("label[for^=groups]").first.click()
        await dialog.get_by_role("button", name="Apply given OAuth2 credentials").click()
        await expect(dialog.get_by_role("button", name="Remove authorization")).to_be_visible()
        await dialog.get_by_role("button", name="Close").last.click()
        form = page.locator("[id*=me_me_get]").first
        await form.locator(".opblock-summary-control").click()
        await form.get_by_role("button", name="Try it out").click()
        await form.get_by_role("button", name="Execute").click()

        await expect(form.locator(".live-responses-table")).to_contain_text(str(arthur.id))
        await page.close()
