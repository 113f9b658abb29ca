"""People with a browser and a mailbox: Chromium, the served API and the worker, at two widths."""

import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pyotp
import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from accounts.models import Role
from accounts.settings import SignUp
from accounts.translations import available_languages
from accounts.worker.delivery import Delivery
from accounts.worker.stopping import Stop
from accounts.worker.transports import Folder
from support.chromium import LAN, needs_chromium
from support.people import PASSWORD, World
from support.served import served
from support.waiting import PATIENCE

EMAIL = "elaine@astolat.example.com"
NEW_PASSWORD = "lancelot-and-elaine"
LABELS = {
    "email": "Email address",
    "name": "Name",
    "password": "Password",
    "current_password": "Current password",
    "new_password": "New password",
    "code": "Code from your authenticator app",
    "recovery_code": "Recovery code",
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


async def test_user_registers_confirms_signs_in_and_signs_out(person: Person) -> None:
    await person.go("/account/sign-in")
    await person.looks_right()
    await person.page.get_by_role("link", name="Create one").click()
    await person.looks_right()
    await person.fill(email="Elaine@astolat.example.com", name="Elaine", password="password1234")
    await person.press("Create account")
    assert "check the fields" in await person.page.get_by_role("alert").inner_text()
    assert "too easy to guess" in await person.page.locator("#password-fault").inner_text()
    person.console.clear()  # Chromium notes the 400
    await person.looks_right()

    await person.fill(email=EMAIL, password=PASSWORD)
    await person.press("Create account")
    await person.sees("Check your email")
    await person.page.goto(await person.mail("verify"))
    await person.looks_right()
    await person.press("Confirm email address")
    await person.sees("Email address confirmed")

    await person.page.get_by_role("link", name="Continue").click()
    await person.fill(email=EMAIL, password=PASSWORD)
    await person.press("Sign in")
    await person.sees("Your account")
    assert "Not confirmed" not in await person.page.content()
    await person.looks_right()
    await person.go("/account/sessions")
    await person.looks_right()
    await person.go("/account")
    await person.press("Sign out")
    await person.sees("Signed out")
    await person.go("/account")
    await person.sees("Sign in")


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


async def test_user_changes_the_password(person: Person, busy_world: World) -> None:
    await busy_world.user("arthur")
    await person.go("/account/sign-in")
    await person.fill(email="arthur@camelot.example.com", password=PASSWORD)
    await person.press("Sign in")
    await person.go("/account/security")
    await person.page.get_by_role("link", name="Change your password").click()
    await person.looks_right()
    await person.fill(current_password="not-the-password", new_password=NEW_PASSWORD)
    await person.press("Set new password")
    await expect(person.page.locator("#current_password-fault")).to_be_visible()
    person.console.clear()  # Chromium notes the 400
    await person.looks_right()

    await person.fill(current_password=PASSWORD, new_password=NEW_PASSWORD)
    await person.press("Set new password")
    await person.sees("Your password has been changed")

    assert (await busy_world.login("arthur@camelot.example.com", NEW_PASSWORD)).status_code == 200


async def test_user_sets_up_an_authenticator_app_signs_in_with_it_and_gets_in_without_the_phone(
    person: Person, busy_world: World
) -> None:
    arthur, page = await busy_world.user("arthur"), person.page
    await person.go("/account/sign-in")
    await person.fill(email=arthur.email, password=PASSWORD)
    await person.press("Sign in")
    await page.locator("main").get_by_role("link", name="Security").click()
    await person.looks_right()
    await page.get_by_role("link", name="Set up an authenticator app").click()
    await person.press("Set up an authenticator app")
    await expect(page.get_by_role("img", name="QR code")).to_have_js_property("complete", value=True)
    assert await page.locator("img.qr").evaluate("image => image.naturalWidth") > 100
    await person.looks_right()
    app = pyotp.TOTP((await page.locator("code").inner_text()).replace(" ", ""))
    await person.fill(code=app.now())
    await person.press("Confirm")
    await person.sees("Your authenticator app is set up")
    await person.looks_right()
    codes = await page.locator("li code").all_inner_texts()
    assert len(codes) == 10

    await person.go("/account")
    await person.press("Sign out")
    await sign_in_again(person, arthur.email)
    await person.looks_right()
    await busy_world.sql("UPDATE totp SET last_step = 0")
    await page.keyboard.press("Tab")
    await page.get_by_label(LABELS["code"]).focus()
    await page.keyboard.type(app.now())
    await page.keyboard.press("Enter")
    await person.sees("Your account")

    await person.press("Sign out")
    await sign_in_again(person, arthur.email)
    await page.get_by_text("Use a recovery code").click()
    await person.looks_right()
    await person.fill(recovery_code=codes[0].lower())
    await person.press("Continue with a recovery code")
    await person.sees("Your account")
    await busy_world.sql("UPDATE user_session SET authenticated_at = now() - interval '1 hour'")
    await page.locator("main").get_by_role("link", name="Security").click()
    await page.get_by_role("link", name="Remove the authenticator app").click()
    await person.sees("Confirm that it's you")
    await person.looks_right()
    await page.get_by_text("Use a recovery code").click()
    await person.fill(recovery_code=codes[1])
    await person.press("Continue with a recovery code")
    await person.press("Remove the authenticator app")
    await person.sees("Your authenticator app has been removed")
    activity = await page.request.get(f"{person.url}/users/me/activity")
    actions = [each["action"] for each in await activity.json()]
    assert {"totp.added", "recovery_code.used", "totp.removed"} <= {*actions}


async def sign_in_again(person: Person, email: str) -> None:
    await person.go("/account/sign-in")
    await person.fill(email=email, password=PASSWORD)
    await person.press("Sign in")
    await person.sees("Second factor")


async def test_invited_person_registers_and_joins_the_group(person: Person, busy_world: World) -> None:
    guinevere = await busy_world.user("guinevere", is_verified=True)
    group = await busy_world.group("Round Table", members={guinevere: Role.OWNER})
    headers = await busy_world.sign_in(guinevere)
    path = f"/user-groups/{group.id}/invitations"
    await busy_world.client.post(path, json={"email": EMAIL, "note": "Come!"}, headers=headers)

    await person.page.goto(await person.mail("invitation"))
    await person.looks_right()
    await person.page.get_by_role("link", name="Create an account").click()
    await person.fill(email=EMAIL, password=PASSWORD)
    await person.press("Create account")

    await person.sees("Thank you")
    members = (await busy_world.client.get(f"/user-groups/{group.id}/users", headers=headers)).json()
    assert EMAIL in {each["email"] for each in members}


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
        for path in ("sign-in", "register", "forgot-password", "invitation?token=" + 43 * "x", "done/sign-up-sent"):
            await person.go(f"/account/{path}")
            await person.looks_right(language)
