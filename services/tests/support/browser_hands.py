"""How a person uses the controls of a page in Chromium: by keyboard alone, or by touch."""

from dataclasses import dataclass
from typing import Any, Protocol

from playwright.async_api import Locator, Page

TABS = 200  # more than any page has controls
# Where the focus is, seen from the control that a person wants to use. Radio buttons of one name are one stop.
FOCUS = """target => {
  const at = document.activeElement;
  const isRadio = at.type === "radio" && target.type === "radio" && at.name === target.name && at.form === target.form;
  const style = getComputedStyle(at);
  const box = at.getClientRects()[0] ?? at.getBoundingClientRect();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const top = document.elementFromPoint(x, y);
  return {
    isOnPage: at !== document.body,
    isThere: at === target,
    isInGroup: isRadio,
    isBefore: Boolean(at.compareDocumentPosition(target) & Node.DOCUMENT_POSITION_FOLLOWING),
    isVisible: at.matches(":focus-visible") && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2
      && (at === top || at.contains(top) || Boolean(top?.contains(at))),
    html: at.outerHTML.slice(0, 200),
  };
}"""


class Hand(Protocol):
    """Uses controls."""

    async def activate(self, control: Locator) -> None:
        """Use a link, a button, or the summary of details."""

    async def enter(self, field: Locator, text: str) -> None:
        """Replace the text of a field."""

    async def choose(self, field: Locator, option: str) -> None:
        """Choose an option of a list by its text."""

    async def check(self, control: Locator) -> None:
        """Choose a radio button or a check box."""


@dataclass
class Keyboard:
    """Reaches each control with Tab, and fails where the focus cannot be seen on the way."""

    page: Page

    async def activate(self, control: Locator) -> None:
        await self._reach(control)
        await self.page.keyboard.press("Enter")

    async def enter(self, field: Locator, text: str) -> None:
        await self._reach(field)
        await self.page.keyboard.press("Control+A")
        await self.page.keyboard.type(text)

    async def choose(self, field: Locator, option: str) -> None:
        await self._reach(field)
        await self.page.keyboard.press("Home")
        while (chosen := await field.evaluate("list => list.selectedOptions[0].text")) != option:
            await self.page.keyboard.press("ArrowDown")
            assert chosen != await field.evaluate("list => list.selectedOptions[0].text"), f"there is no {option}"

    async def check(self, control: Locator) -> None:
        await self._reach(control)
        if not await control.is_checked():
            await self.page.keyboard.press("Space")
        assert await control.is_checked()

    async def _reach(self, control: Locator) -> None:
        """Move the focus to a control, forwards or backwards."""
        target = await control.element_handle()
        for _ in range(TABS):
            focus: dict[str, Any] = await target.evaluate(FOCUS)
            if focus["isThere"]:
                return
            forwards = focus["isBefore"] or not focus["isOnPage"]
            if focus["isInGroup"]:
                await self.page.keyboard.press("ArrowDown" if forwards else "ArrowUp")
            else:
                await self.page.keyboard.press("Tab" if forwards else "Shift+Tab")
            focus = await target.evaluate(FOCUS)
            assert focus["isOnPage"], "the focus is lost"
            assert focus["isVisible"], f"the focus cannot be seen: {focus['html']}"
        raise AssertionError(f"Tab does not reach {control}")


@dataclass
class Touch:
    """Taps on each control."""

    async def activate(self, control: Locator) -> None:
        await control.tap()

    async def enter(self, field: Locator, text: str) -> None:
        await field.tap()
        await field.fill(text)

    async def choose(self, field: Locator, option: str) -> None:
        await field.select_option(label=option)

    async def check(self, control: Locator) -> None:
        await control.tap()
        assert await control.is_checked()
