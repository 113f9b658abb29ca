"""Passkeys in Chromium, with a virtual authenticator in place of the device's lock."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import Browser, CDPSession, Page, ViewportSize, expect

from support.chromium import needs_chromium
from support.people import PASSWORD, World
from support.served import served
from support.waiting import PATIENCE, eventually

DEVICE = {
    "protocol": "ctap2",
    "ctap2Version": "ctap2_1",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
SIZES: dict[str, ViewportSize] = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 800}}
WITHOUT_AUTOFILL = "PublicKeyCredential.isConditionalMediationAvailable = async () => false"
pytestmark = needs_chromium


@dataclass
class Device:
    """A browser whose device can hold passkeys."""

    world: World
    url: str
    page: Page
    cdp: CDPSession
    id: str = ""

    async def send(self, command: str, **values: Any) -> dict[str, Any]:
        values |= {"authenticatorId": self.id} if self.id else {}
        answer: dict[str, Any] = await self.cdp.send(f"WebAuthn.{command}", values)
        return answer

    async def go(self, path: str) -> None:
        await self.page.goto(f"{self.url}/account{path}")

    async def press(self, button: str) -> None:
        await self.page.get_by_role("button", name=button, exact=True).click()

    async def sees(self, title: str) -> None:
        await expect(self.page.locator("h1")).to_have_text(title)

    async def enter_password(self, user: str = "arthur", then: str = "Your account") -> None:
        await self.go("/sign-in")
        await self.page.get_by_label("Email address", exact=True).fill(f"{user}@camelot.example.com")
        await self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        await self.press("Sign in")
        await self.sees(then)

    async def add_passkey(self, name: str = "This laptop") -> None:
        await self.go("/passkeys")
        await self.page.get_by_label("Name of the new passkey", exact=True).fill(name)
        await self.press("Add a passkey")
        await expect(self.page.locator(".sessions strong", has_text=name)).to_have_count(1)

    async def sign_out(self) -> None:
        await self.page.context.clear_cookies()

    async def credentials(self) -> list[dict[str, Any]]:
        credentials: list[dict[str, Any]] = (await self.send("getCredentials"))["credentials"]
        return credentials


@pytest.fixture(params=SIZES)
async def device(request: pytest.FixtureRequest, browser: Browser, busy_world: World) -> AsyncIterator[Device]:
    async with served(busy_world) as url:
        page = await browser.new_page(viewport=SIZES[request.param], locale="en-GB")
        page.set_default_timeout(PATIENCE * 1000)
        cdp = await page.context.new_cdp_session(page)
        device = Device(busy_world, url, page, cdp)
        await device.send("enable")
        device.id = (await device.send("addVirtualAuthenticator", options=DEVICE))["authenticatorId"]
        await busy_world.user("arthur")
        yield device
        await page.close()


async def test_user_adds_a_passkey_and_signs_in_with_it(device: Device) -> None:
    await device.enter_password()
    await device.go("/passkeys")
    await device.sees("Passkeys")
    await device.add_passkey()
    [credential] = await device.credentials()
    assert credential["isResidentCredential"] is True
    narrow = await device.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert narrow

    await device.sign_out()
    await device.page.add_init_script(WITHOUT_AUTOFILL)  # which would sign in at once
    await device.go("/sign-in")
    await device.press("Sign in with a passkey")

    await device.sees("Your account")


async def test_autofill_of_the_email_field_offers_the_passkey(device: Device) -> None:
    await device.enter_password()
    await device.add_passkey()
    await device.sign_out()

    await device.go("/sign-in")

    await device.sees("Your account")  # a virtual authenticator chooses at once


async def test_password_and_passkey_sign_in(device: Device) -> None:
    await device.enter_password()
    await device.add_passkey()
    await device.sign_out()
    await device.page.add_init_script(WITHOUT_AUTOFILL)

    await device.enter_password("arthur", then="Second factor")
    await device.press("Continue with a passkey")

    await device.sees("Your account")


async def test_passkey_is_used_again_before_an_old_session_adds_another_one(device: Device) -> None:
    await device.enter_password()
    await device.add_passkey()
    await device.world.sql("UPDATE user_session SET authenticated_at = now() - interval '601 seconds'")

    await device.page.get_by_label("Name of the new passkey", exact=True).fill("Another")
    await device.press("Add a passkey")
    await device.sees("Confirm that it's you")
    await device.press("Continue with a passkey")

    await device.sees("Passkeys")


async def test_device_that_has_a_passkey_says_so(device: Device) -> None:
    await device.enter_password()
    await device.add_passkey()

    await device.page.get_by_label("Name of the new passkey", exact=True).fill("Again")
    await device.press("Add a passkey")

    await expect(device.page.get_by_role("alert")).to_have_text("This device has a passkey for your account already.")
    assert len(await device.credentials()) == 1


async def test_passkey_is_renamed_and_removed(device: Device) -> None:
    await device.enter_password()
    await device.add_passkey()
    await device.page.get_by_text("Rename", exact=True).click()
    await device.page.get_by_label("New name", exact=True).fill("Excalibur")
    await device.press("Save")
    await expect(device.page.locator(".sessions strong")).to_have_text("Excalibur")

    await device.press("Remove Excalibur")

    await expect(device.page.get_by_text("You have no passkeys.")).to_be_visible()

    async def is_forgotten() -> bool:
        return await device.credentials() == []

    await eventually("the device forgets the removed passkey", is_forgotten)
    assert (await device.world.login("arthur@camelot.example.com")).status_code == 200


async def test_user_who_is_not_verified_is_not_signed_in(device: Device) -> None:
    await device.enter_password()
    await device.add_passkey()
    await device.sign_out()
    await device.send("setUserVerified", isUserVerified=False)

    await device.go("/sign-in")
    await device.press("Sign in with a passkey")

    await expect(device.page.get_by_role("alert")).to_have_text("No passkey was used. Please try again.")


async def test_cloned_passkey_is_refused(device: Device) -> None:
    await device.enter_password()
    await device.add_passkey()
    await device.sign_out()
    await device.world.sql("UPDATE passkey SET sign_count = 1000")

    await device.go("/sign-in")

    await expect(device.page.get_by_role("alert")).to_have_text("The passkey wasn't accepted. Please try again.")


async def test_removed_passkey_is_refused(device: Device) -> None:
    await device.enter_password()
    await device.add_passkey()
    await device.sign_out()
    await device.world.sql("DELETE FROM passkey")

    await device.go("/sign-in")

    await expect(device.page.get_by_role("alert")).to_have_text("The passkey wasn't accepted. Please try again.")


async def test_passkey_needs_only_a_keyboard(device: Device) -> None:
    await device.enter_password()
    await device.go("/passkeys")
    await device.page.get_by_label("Name of the new passkey", exact=True).focus()
    await device.page.keyboard.press("Tab")
    await device.page.keyboard.press("Enter")

    await expect(device.page.locator(".sessions strong")).to_have_count(1)


async def test_sign_in_page_without_scripts_has_no_passkey_button(browser: Browser, busy_world: World) -> None:
    await busy_world.user("arthur")
    async with served(busy_world) as url:
        context = await browser.new_context(java_script_enabled=False, locale="en-GB")
        page = await context.new_page()
        device = Device(busy_world, url, page, await context.new_cdp_session(page))

        await device.go("/sign-in")

        await expect(page.locator("main").get_by_role("button")).to_have_count(1)
        await device.enter_password()
        await device.go("/passkeys")
        await expect(page.get_by_text("Passkeys can be added only in browsers")).to_be_visible()
        await asyncio.gather(page.close(), context.close())
