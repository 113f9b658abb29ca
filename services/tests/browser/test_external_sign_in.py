"""Sign-in with a certified provider of OpenID Connect (npm ``oidc-provider``), in Chromium, without scripts."""

import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from accounts.domain.external_providers.providers import Providers
from support.chromium import needs_chromium
from support.external_sign_in import settings
from support.node import needs_node, running_script
from support.people import PASSWORD, World
from support.served import served
from support.waiting import PATIENCE

pytestmark = [needs_chromium, needs_node, pytest.mark.slow(seconds=30)]
SECRET = "a-secret-of-the-client"
# Whoever signs in as NAME there has the address NAME@camelot.example.com.
SERVER = """
import { createServer } from "node:http";
import { Provider } from "oidc-provider";
const [redirectUri, secret] = process.argv.slice(1);
const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const claims = (sub) => ({
    sub, name: sub, email: `${sub}@camelot.example.com`, email_verified: sub !== "mordred",
  });
  const provider = new Provider(issuer, {
    clients: [{ client_id: "accounts", client_secret: secret, redirect_uris: [redirectUri] }],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    cookies: { keys: ["for a test"] },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => claims(sub) }),
  });
  server.on("request", provider.callback());
  console.log(issuer);
});
"""


@dataclass
class Visitor:
    """A person with a browser, which knows neither this service nor the provider yet."""

    page: Page
    url: str
    console: list[str]
    pictures: Path

    async def go(self, path: str) -> None:
        await self.page.goto(self.url + path)

    async def click(self, name: str) -> None:
        await (
            self.page.get_by_role("link", name=name, exact=True)
            .or_(self.page.get_by_role("button", name=name, exact=True))
            .first.click()
        )

    async def sees(self, title: str) -> None:
        await expect(self.page.locator("h1")).to_have_text(title)

    async def reads(self, text: str) -> None:
        await expect(self.page.locator("main")).to_contain_text(text)

    async def enter_at_provider(self, name: str) -> None:
        """Sign in at the provider, and consent."""
        await self.page.locator("input[name=login]").fill(name)
        await self.page.locator("input[name=password]").fill("any")
        await self.page.locator("button[type=submit]").click()
        await self.page.locator("button[type=submit]").click()

    async def sign_in(self, name: str) -> None:
        """Sign in with the password."""
        await self.page.get_by_label("Email address", exact=True).fill(f"{name}@camelot.example.com")
        await self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        await self.page.get_by_role("button", name="Sign in", exact=True).click()

    async def looks_right(self) -> None:
        for target in await self.page.locator("button:visible, .button:visible").all():
            box = await target.bounding_box()
            assert box
            assert box["height"] >= 44
        assert await self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        name = re.sub(r"\W+", "-", await self.page.title())[:40]
        width = (self.page.viewport_size or {"width": 0})["width"]
        await self.page.screenshot(path=self.pictures / f"{name}-{width}.png")
        assert self.console == []


def note(message: ConsoleMessage, console: list[str], url: str) -> None:
    """Note an error on a page of ours. The provider's own pages load fonts from elsewhere."""
    if message.type == "error" and message.page and message.page.url.startswith(url):
        console.append(message.text)


@pytest.fixture(params=[1280, 390], ids=["desktop", "phone"])
async def person(
    request: pytest.FixtureRequest, browser: Browser, busy_world: World, tmp_path: Path
) -> AsyncIterator[Visitor]:
    async with served(busy_world) as url:
        with running_script(SERVER, f"{url}/auth/work/callback", SECRET) as issuer:
            configured = settings(issuer, key="work", name="Work", client_secret=SECRET)
            busy_world.state["providers"] = Providers([configured])
            context: BrowserContext = await browser.new_context(
                viewport={"width": request.param, "height": 800}, java_script_enabled=False, locale="en-GB"
            )
            page = await context.new_page()
            page.set_default_timeout(PATIENCE * 1000)
            console: list[str] = []
            page.on("console", lambda message: note(message, console, url))
            yield Visitor(page, url, console, Path(os.environ.get("PICTURES", tmp_path)))
            await context.close()
            await busy_world.state["providers"].close()


async def test_person_signs_up_and_signs_in_again_with_a_provider(person: Visitor) -> None:
    await person.go("/account/register")
    await person.looks_right()
    await person.click("Continue with Work")
    await person.enter_at_provider("elaine")
    await person.sees("Your account")
    await person.reads("elaine@camelot.example.com")
    assert "Not confirmed" not in await person.page.content()

    await person.click("Sign out")
    await person.go("/account/sign-in")
    await person.looks_right()
    await person.click("Sign in with Work")
    await person.sees("Your account")
    await person.reads("elaine@camelot.example.com")

    await person.go("/account/connected-accounts")
    await person.looks_right()
    await person.click("Disconnect Work")
    await person.reads("Choose a password first")


async def test_person_who_cancels_can_go_on(person: Visitor) -> None:
    await person.go("/account/sign-in")
    await person.click("Sign in with Work")
    await person.page.get_by_role("link", name="Cancel").click()

    await person.reads("You cancelled the sign-in")
    await person.click("Your account")
    await person.sees("Sign in")


async def test_person_whose_address_is_unconfirmed_there_gets_no_account(person: Visitor) -> None:
    await person.go("/account/sign-in")
    await person.click("Sign in with Work")
    await person.enter_at_provider("mordred")

    await person.reads("isn't confirmed at the other provider")


async def test_person_with_an_account_connects_and_disconnects_the_provider(person: Visitor, busy_world: World) -> None:
    await busy_world.user("arthur", is_verified=True)
    await person.go("/account/sign-in")
    await person.click("Sign in with Work")
    await person.enter_at_provider("arthur")
    await person.sees("You already have an account")
    person.console.clear()  # Chromium notes the 400
    await person.looks_right()

    await person.click("Sign in")
    await person.sign_in("arthur")
    await person.sees("Connected accounts")
    await person.click("Connect Work")
    await expect(person.page.get_by_role("button", name="Disconnect Work")).to_be_visible()

    await person.go("/account")
    await person.click("Sign out")
    await person.go("/account/sign-in")
    await person.click("Sign in with Work")
    await person.reads("arthur@camelot.example.com")
    await person.go("/account/connected-accounts")
    await person.looks_right()
    await person.click("Disconnect Work")
    await expect(person.page.get_by_role("link", name="Connect Work")).to_be_visible()
