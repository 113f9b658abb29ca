"""A person with a browser: finds texts in the language of the page, and checks every page that is seen."""

import os
import re
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Literal

from playwright.async_api import ConsoleMessage, FilePayload, Locator, Page, Request, Response, expect

from accounts.models import User
from accounts.translations import Language
from support.browser_checks import page_faults
from support.browser_hands import Hand, Keyboard, Touch
from support.people import PASSWORD
from support.waiting import PATIENCE

PICTURE = count(1)


@dataclass(frozen=True)
class View:
    """What a person looks at, and how."""

    name: str
    width: int
    language: str
    scheme: Literal["light", "dark"]
    is_touch: bool


DESKTOP = View("desktop", 1280, "en", "light", is_touch=False)
PHONE = View("phone", 390, "de", "dark", is_touch=True)


@dataclass
class Visitor:
    """A person with a browser of their own. ``problems`` is what the browser complained about."""

    page: Page
    url: str
    view: View
    language: Language
    status: int = 0
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hand: Hand = Touch() if self.view.is_touch else Keyboard(self.page)
        self.page.set_default_timeout(PATIENCE * 1000)
        self.page.on("console", self._note_message)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("requestfailed", self._note_failure)
        self.page.on("response", self._note_response)

    def _note_message(self, message: ConsoleMessage) -> None:
        """Note errors and warnings, also of the policy (CSP). Refused requests are noted as responses."""
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
            self.problems.append(message.text)

    def _note_failure(self, request: Request) -> None:
        """Note a request without a response. The browser gives up its own: for a download, or when the page is left."""
        if request.failure != "net::ERR_ABORTED":
            self.problems.append(f"{request.url}: {request.failure}")

    def _note_response(self, response: Response) -> None:
        if response.request.is_navigation_request():
            self.status = response.status
        elif response.status >= 400:
            self.problems.append(f"{response.url}: {response.status}")

    def text(self, message: str, /, **values: object) -> str:
        """Return a text as this person reads it."""
        return self.language.gettext(message) % values

    @property
    def main(self) -> Locator:
        return self.page.locator("main")

    def field(self, label: str, /, **values: object) -> Locator:
        return self.main.get_by_label(self.text(label, **values), exact=True)

    def button(self, name: str, /, **values: object) -> Locator:
        return self.main.get_by_role("button", name=self.text(name, **values), exact=True)

    def link(self, name: str, /, **values: object) -> Locator:
        return self.main.get_by_role("link", name=self.text(name, **values), exact=True)

    def row(self, text: str) -> Locator:
        """Find the row of a list or table that has a text."""
        return self.main.locator("tr, li").filter(has_text=text)

    async def open(self, address: str) -> None:
        """Open a path, or a link from a mail."""
        await self.page.goto(address if address.startswith("http") else self.url + address)

    async def go_to(self, name: str, /) -> None:
        """Follow a link of the navigation."""
        await self.use(self.page.get_by_role("navigation").get_by_role("link", name=self.text(name), exact=True))

    async def follow(self, link: str, /, **values: object) -> None:
        await self.use(self.link(link, **values))

    async def press(self, button: str, /, **values: object) -> None:
        await self.use(self.button(button, **values))

    async def use(self, control: Locator) -> None:
        """Use a link or a button, and wait for the page that it opens."""
        await self.hand.reach(control)
        async with self.page.expect_navigation():
            await self.hand.press(control)

    async def download(self, link: str, /, **values: object) -> bytes:
        """Follow a link to a file, and return what is in it."""
        control = self.link(link, **values)
        await self.hand.reach(control)
        async with self.page.expect_download() as download:
            await self.hand.press(control)
        return (await (await download.value).path()).read_bytes()

    async def fill(self, label: str, /, text: str) -> None:
        await self.hand.enter(self.field(label), text)

    async def choose(self, label: str, /, option: str) -> None:
        """Choose an option of a list."""
        await self.hand.choose(self.field(label), self.text(option))

    async def check(self, label: str, /) -> None:
        """Choose a radio button or a check box."""
        await self.hand.check(self.field(label))

    async def choose_file(self, label: str, /, name: str, content: bytes) -> None:
        await self.hand.reach(self.field(label))
        async with self.page.expect_file_chooser() as chooser:
            await self.hand.press(self.field(label))
        await (await chooser.value).set_files(FilePayload(name=name, mimeType="text/csv", buffer=content))

    async def unfold(self, summary: str) -> None:
        """Open details."""
        control = self.main.locator("summary").filter(has_text=self.text(summary))
        await self.hand.reach(control)
        await self.hand.press(control)

    async def sign_out(self) -> None:
        await self.use(self.page.get_by_role("banner").get_by_role("button", name=self.text("Sign out")))
        await self.sees("Signed out")

    async def sign_in(self, who: User | str, password: str = PASSWORD, then: str = "Your account") -> None:
        await self.open("/account/sign-in")
        await self.fill("Email address", who if isinstance(who, str) else who.email)
        await self.fill("Password", password)
        await self.press("Sign in")
        await self.sees(then)

    async def sees(self, title: str, /, status: int = 200, **values: object) -> None:
        """Check the page that is open: its title, and what every page has to be."""
        await expect(self.page.locator("h1")).to_have_text([self.text(title, **values)])
        faults = await page_faults(self.page, self.language.tag, self.view.width)
        assert faults == [], self.page.url
        await self._take_picture()
        assert self.status == status
        assert self.problems == []

    async def reads(self, message: str, /, **values: object) -> None:
        """Require a text, as a whole element or as a part of it."""
        await expect(self.main).to_contain_text(self.text(message, **values))

    async def _take_picture(self) -> None:
        """Keep a picture of the whole page, if ``PICTURES`` names a folder."""
        if folder := os.environ.get("PICTURES"):
            name = re.sub(r"\W+", "-", self.page.url.removeprefix(self.url).partition("?")[0].partition("#")[0]).strip(
                "-"
            )
            path = Path(folder) / f"{self.view.name}-{next(PICTURE):03}-{name[:60]}.png"
            await self.page.screenshot(path=path, full_page=True)
