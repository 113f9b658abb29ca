"""What every page in Chromium has to be, whatever is on it."""

from playwright.async_api import Page

RESULT = "/account/done/sent"
LOWEST = 44  # pixels, in which a finger finds a control (WCAG 2.2, 2.5.5)
# Focus belongs at the beginning of a page that was just opened, or at its error. Addresses in headings may be broken.
STATE = """() => {
  const at = document.activeElement;
  const heading = document.querySelector("h1").firstChild;
  const isBroken = word => {
    const range = document.createRange();
    range.setStart(heading, word.index);
    range.setEnd(heading, word.index + word[0].length);
    return range.getClientRects().length > 1 && !word[0].includes("@");
  };
  const fields = "select, input:not([type=hidden], [type=radio], [type=checkbox])";
  const controls = [...document.querySelectorAll(`button, .button, ${fields}`)];
  return {
    language: document.documentElement.lang,
    width: document.documentElement.scrollWidth,
    hasFocus: document.querySelector(".failure") ? at.matches(".failure") : at === document.body,
    broken: [...heading.data.matchAll(/[^\\s-]+/g)].filter(isBroken).map(word => word[0]),
    lowest: Math.min(...controls.filter(each => each.checkVisibility()).map(each => each.offsetHeight)),
  };
}"""


async def ask_for_link(page: Page, url: str) -> None:
    """Ask for a mailed link, which leads to the page of a result."""
    await page.goto(f"{url}/account/forgot-password")
    await page.locator("#email").fill("arthur@camelot.example.com")
    await page.locator("#email").press("Enter")
    await page.wait_for_url(f"**{RESULT}")


async def page_faults(page: Page, language: str, width: int) -> list[str]:
    """Return what is wrong with the page that was opened, in words."""
    state = await page.evaluate(STATE)
    faults = {
        f"the language is {state['language']}": state["language"] != language,
        "it scrolls sideways": state["width"] > width,
        "the focus is lost": not state["hasFocus"],
        f"words of the heading are broken: {state['broken']}": bool(state["broken"]),
        f"a control has a height of {state['lowest']} px": state["lowest"] < LOWEST,
    }
    return [fault for fault, is_there in faults.items() if is_there]
