"""Stories: people with browsers and mailboxes do from beginning to end what the pages are for.

Each story is told in two views: at a desk in English and light, by keyboard alone, and on a phone in German and dark,
by touch. Texts are given in English, as templates have them, and found as the catalogue of the language says them.
"""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser

from accounts.models import User
from accounts.translations import get_language
from accounts.worker.delivery import Delivery
from accounts.worker.smtp import Smtp
from accounts.worker.stopping import Stop
from support.browser_visitor import DESKTOP, PHONE, View, Visitor
from support.people import World
from support.served import served
from support.smtp import Mailbox, serving

__all__ = ["DESKTOP", "PHONE", "Story", "View", "Visitor", "telling"]
LINK = re.compile(r"http://localhost\S+")


@dataclass
class Story:
    """A served API with its mail, and a view. ``visitor`` gives one more person a browser."""

    world: World
    url: str
    view: View
    browser: Browser
    stack: AsyncExitStack
    mailbox: Mailbox
    delivery: Delivery

    async def visitor(self, view: View | None = None) -> Visitor:
        """Open a browser that no one has used before."""
        view = view or self.view
        options: dict[str, Any] = {"is_mobile": True, "has_touch": True} if view.is_touch else {}
        context = await self.browser.new_context(
            viewport={"width": view.width, "height": 800}, color_scheme=view.scheme, locale=view.language, **options
        )
        self.stack.push_async_callback(context.close)
        return Visitor(await context.new_page(), self.url, view, get_language(view.language))

    async def signed_in(self, who: User) -> Visitor:
        """Open a browser, and sign a person in."""
        visitor = await self.visitor()
        await visitor.sign_in(who)
        return visitor

    async def deliver(self) -> None:
        """Send all mail that waits, by SMTP."""
        while await self.delivery.deliver_next():
            pass

    async def letters(self, email: str) -> list[str]:
        """Deliver all mail, and return the texts of the letters to an address, the last one first."""
        await self.deliver()
        messages: Any = [each for each in self.mailbox.messages if each["To"].addresses[0].addr_spec == email]
        return [each.get_body(("plain",)).get_content() for each in reversed(messages)]

    async def mailed_link(self, email: str) -> str:
        """Deliver all mail, and return the first link of the last letter to an address."""
        letter = (await self.letters(email))[0]
        [link, *_] = LINK.findall(letter)
        return str(link)


@asynccontextmanager
async def telling(world: World, browser: Browser, view: View) -> AsyncIterator[Story]:
    """Serve a world for a story, with a mail server of its own."""
    async with served(world) as url, AsyncExitStack() as stack:
        mailbox = Mailbox()
        port = await stack.enter_async_context(serving(mailbox))
        smtp = Smtp("127.0.0.1", port, security="none")
        delivery = Delivery(world.sessionmaker, world.connect, smtp, world.state["settings"], Stop())
        yield Story(world, url, view, browser, stack, mailbox, delivery)
