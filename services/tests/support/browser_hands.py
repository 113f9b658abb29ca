"""How a person uses the controls of a page in Chromium: by keyboard alone, or by touch."""

from dataclasses import dataclass
from typing import Any, Protocol

from playwright.async_api import ElementHandle, Locator, Page, expect

TABS = 200  # more than any page has controls
# Where the focus is, seen from the control that a person wants to use. Radio buttons of one name are one stop.
FOCUS = """target => {
  const at = document.activeElement;
  const isRadio = at.type === "radio" && target.type === "radio" && at.name === target.name && at.form === target.form;
  const isPicker = at.type === "date" && !at.matches(":focus");  // the button in a field, which has a ring of its own
  const style = getComputedStyle(at);
  const box = at.getClientRects()[0] ?? at.getBoundingClientRect();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const top = document.elementFromPoint(x, y);
  return {
    isOnPage: at !== document.body,
    isSkipped: at === document.body && Boolean(target.closest("main")),
    isThere: at === target,
    isInGroup: isRadio,
    isBefore: Boolean(at.compareDocumentPosition(target) & Node.DOCUMENT_POSITION_FOLLOWING),
    isVisible: isPicker || at.matches(":focus-visible") && style.outlineStyle !== "none"
      && parseFloat(style.outlineWidth) >= 2 && (at === top || at.contains(top) || Boolean(top?.contains(at))),
    html: at.outerHTML.slice(0, 200),
  };
}"""
CHOSEN = "list => list.selectedOptions[0].text"


class Hand(Protocol):
    """Uses controls."""

    async def reach(self, control: Locator) -> None:
        """Go to a control, which ``press`` uses then."""

    async def press(self, control: Locator) -> None:
        """Use the link, the button, or the summary of details that was reached."""

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

    async def reach(self, control: Locator) -> None:
        """Move the focus to a control, forwards or backwards, past the navigation by the link that is there for it."""
        target = await control.element_handle()
        focus = await target.evaluate(FOCUS)
        if focus["isSkipped"]:
            focus = await self._go(target, "Tab")
            await self.page.keyboard.press("Enter")
        for _ in range(TABS):
            if focus["isThere"]:
                return
            forwards = focus["isBefore"] or not focus["isOnPage"]
            if focus["isInGroup"]:
                focus = await self._go(target, "ArrowDown" if forwards else "ArrowUp")
            else:
                focus = await self._go(target, "Tab" if forwards else "Shift+Tab")
        raise AssertionError(f"Tab does not reach {control}")

    async def _go(self, target: ElementHandle, key: str) -> dict[str, Any]:
        """Press a key, and return where the focus is then."""
        await self.page.keyboard.press(key)
        focus: dict[str, Any] = await target.evaluate(FOCUS)
        assert focus["isOnPage"], "the focus is lost"
        assert focus["isVisible"], f"the focus cannot be seen: {focus['html']}"
        return focus

    async def press(self, control: Locator) -> None:
        await expect(control).to_be_focused()
        await self.page.keyboard.press("Enter")

    async def enter(self, field: Locator, text: str) -> None:
        await self.reach(field)
        await self.page.keyboard.press("Control+A")
        await self.page.keyboard.insert_text(text)

    async def choose(self, field: Locator, option: str) -> None:
        await self.reach(field)
        await self.page.keyboard.press("Home")
        while (chosen := await field.evaluate(CHOSEN)) != option:
            await self.page.keyboard.press("ArrowDown")
            assert chosen != await field.evaluate(CHOSEN), f"there is no {option}"

    async def check(self, control: Locator) -> None:
        await self.reach(control)
        if not await control.is_checked():
            await self.page.keyboard.press("Space")
        assert await control.is_checked()


@dataclass
class Touch:
    """Taps on each control."""

    async def reach(self, control: Locator) -> None:
        await control.scroll_into_view_if_needed()

    async def press(self, control: Locator) -> None:
        await control.tap()

    async def enter(self, field: Locator, text: str) -> None:
        await field.tap()
        await field.fill(text)

    async def choose(self, field: Locator, option: str) -> None:
        await field.select_option(label=option)

    async def check(self, control: Locator) -> None:
        await control.tap()
        assert await control.is_checked()
