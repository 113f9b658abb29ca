"""axe-core (npm), which finds barriers for people with disabilities on a page in Chromium."""

from functools import cache
from typing import Any

from playwright.async_api import Page

from support.node import node_modules

STANDARD = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@cache
def _script() -> str:
    return (node_modules() / "axe-core" / "axe.min.js").read_text()


async def violations(page: Page) -> list[str]:
    """Return what violates WCAG 2.2 at level AA, or axe-core's own rules: the rule, the element, and why."""
    await page.evaluate(_script())  # by the debugger, which the page's policy does not bind
    result: dict[str, Any] = await page.evaluate(
        "tags => axe.run({runOnly: tags, resultTypes: ['violations']})", STANDARD
    )
    return [
        f"{rule['id']}: {node['html'][:200]}: {' '.join(node['failureSummary'].split())}"
        for rule in result["violations"]
        for node in rule["nodes"]
    ]
