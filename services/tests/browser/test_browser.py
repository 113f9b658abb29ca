"""People with a browser and a mailbox: Chromium, the served API and the worker, at two widths."""

import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from accounts.settings import SignUp
from accounts.translations import available_languages
from accounts.worker.delivery import Delivery
from accounts.worker.stopping import Stop
from accounts.worker.transports import Folder
from support.browser_checks import ask_for_link
from support.chromium import LAN, needs_chromium
from support.people import PASSWORD, World
from support.served import served
from support.waiting import PATIENCE

EMAIL = "elaine@astolat.example.com"
NEW_PASSWORD = "lancelot-and-elaine"
LABELS = {
    "email": "Email address",
    "password": "Password",
    "new_password": "New password",
}
WIDTHS = {"desktop": 1280, "phone": 390}
pytestmark = needs_chromium


@dataclass
class Person:
    """A person with a browser and a mailbox."""

    page: Page
    url: str
    delivery: Delivery
    folder: Path
    pictures: Path
    console: list[str]

    async def go(self, path: str) -> None:
        await self.page.goto(self.url + path)

    async def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            await self.page.get_by_label(LABELS[name], exact=True).fill(value)

    async def press(self, button: str) -> None:
        await self.page.get_by_role("button", name=button, exact=True).click()

    async def sees(self, title: str) -> None:
        """Wait until the page with this title is there."""
        await expect(self.page.locator("h1")).to_have_text(title)

    async def mail(self, kind: str) -> str:
        """Deliver all queued mail, and return the link in the last letter of a kind."""
        while await self.delivery.deliver_next():
            pass
        last = max(self.folder.glob(f"*-{kind}-*.eml"))
        message: Any = message_from_bytes(last.read_bytes(), policy=policy.default)
        link: str = re.findall(r"http://\S+", message.get_body(("plain",)).get_content())[0]
        return link

    async def looks_right(self, language: str = "en") -> None:
        """Check the layout and accessibility of the page, and take a screenshot."""
        page = self.page
        await expect(page.locator("h1")).to_have_count(1)
        assert await page.locator("html").get_attribute("lang") == language
        for field in await page.locator("input:not([type=hidden])").all():
            name = await field.get_attribute("id")
            assert await page.locator(f"label[for={name}]").count() == 1
        for target in await page.locator("button, .button, input:not([type=hidden])").all():
            box = await target.bounding_box()
            if box is None:  # in a closed <details>
                continue
            assert box["height"] >= 44
        narrow = await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert narrow, page.url
        name = re.sub(r"\W+", "-", await page.title())[:40]
        await page.screenshot(path=self.pictures / f"{name}-{page.viewport_size['width']}.png")  # type: ignore[index]  # it has one
        assert self.console == []


@pytest.fixture(params=[("desktop", "light"), ("phone", "dark")], ids="-".join)
async def person(
    request: pytest.FixtureRequest, browser: Browser, busy_world: World, tmp_path: Path
) -> AsyncIterator[Person]:
    device, scheme = request.param
    async with served(busy_world) as url:
        size: ViewportSize = {"width": WIDTHS[device], "height": 800}
        page = await browser.new_page(viewport=size, color_scheme=scheme, locale="en-GB")
        page.set_default_timeout(PATIENCE * 1000)
        console: list[str] = []
        page.on(
            "console", lambda message: console.append(message.text) if message.type in {"error", "warning"} else None
        )
        folder = tmp_path / "mail"
        delivery = Delivery(
            busy_world.sessionmaker, busy_world.connect, Folder(folder), busy_world.state["settings"], Stop()
        )
        yield Person(page, url, delivery, folder, Path(os.environ.get("PICTURES", tmp_path)), console)
        await page.close()


async def test_user_resets_a_forgotten_password(person: Person, busy_world: World) -> None:
    await busy_world.user("arthur")
    await person.go("/account/sign-in")
    await person.page.get_by_role("link", name="Forgot your password?").click()
    await person.looks_right()
    await person.fill(email="arthur@camelot.example.com")
    await person.press("Send link")
    await person.looks_right()

    link = await person.mail("reset")
    await person.page.goto(link)
    await person.looks_right()
    await person.fill(new_password=NEW_PASSWORD)
    await person.press("Set new password")
    await person.sees("Your password has been changed")

    await person.page.get_by_role("link", name="Sign in").click()
    await person.fill(email="arthur@camelot.example.com", password=NEW_PASSWORD)
    await person.press("Sign in")
    await person.sees("Your account")


async def test_person_signs_up_by_mail_and_chooses_a_password(person: Person, busy_world: World) -> None:
    busy_world.change_settings(sign_up=SignUp.VERIFIED)
    await person.go("/account/register")
    await person.looks_right()
    await person.fill(email=EMAIL)
    await person.press("Create account")
    await person.sees("Check your email")

    await person.page.goto(await person.mail("sign_up"))
    await person.looks_right()
    await person.fill(password=PASSWORD)
    await person.press("Create account")

    await person.sees("Email address confirmed")
    assert (await busy_world.login(EMAIL)).status_code == 200


async def test_sign_in_over_plain_http_says_why_it_fails(person: Person, busy_world: World) -> None:
    await busy_world.user("arthur")
    await person.go("/account/sign-in")
    await expect(person.page.locator(".notice")).to_have_count(0)
    person.url = person.url.replace("localhost", LAN)
    busy_world.change_settings(allowed_hosts=(LAN,))

    await person.go("/account/sign-in")
    person.console.clear()  # Chromium notes that a header counts over TLS only
    await person.looks_right()
    await person.fill(email="arthur@camelot.example.com", password=PASSWORD)
    await person.press("Sign in")

    await person.page.wait_for_url("**/account/sign-in")
    await expect(person.page.locator(".notice")).to_contain_text("loaded without encryption (http://)")


async def test_browser_accepts_an_email_with_letters_outside_of_ascii(person: Person) -> None:
    await person.go("/account/register")
    await person.fill(email="jürg@example.com", password=PASSWORD)
    await person.press("Create account")
    await person.sees("Check your email")

    await person.go("/account/sign-in")
    await person.fill(email="jürg@example.com", password=PASSWORD)
    await person.press("Sign in")
    await person.sees("Your account")


async def test_sign_in_needs_only_a_keyboard(person: Person, busy_world: World) -> None:
    await busy_world.user("arthur")
    await person.go("/account/sign-in")

    keyboard = person.page.keyboard
    for _ in range(3):  # past the link to the content and the name of the service
        await keyboard.press("Tab")
    await keyboard.type("arthur@camelot.example.com")
    await keyboard.press("Tab")
    await keyboard.type(PASSWORD)
    await keyboard.press("Enter")
    await person.page.wait_for_url("**/account")

    await person.sees("Your account")


async def test_pages_fit_a_320_pixel_wide_screen_in_every_language(person: Person, browser: Browser) -> None:
    for language in sorted(available_languages()):
        person.page = await browser.new_page(viewport={"width": 320, "height": 640}, locale=language)
        await ask_for_link(person.page, person.url)
        for path in ("sign-in", "register", "forgot-password", "invitation?token=" + 43 * "x", "done/sent"):
            await person.go(f"/account/{path}")
            assert person.page.url.endswith(path)
            await person.looks_right(language)
