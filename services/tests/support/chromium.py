"""Chromium in tests. Where it is missing they are skipped, but not in continuous integration."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright, expect

from support.waiting import PATIENCE

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LAN = "accounts.lan"  # leads to this machine, but browsers do not know that
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", f"--host-resolver-rules=MAP {LAN} 127.0.0.1",
]  # fmt: skip
REASON = "there is no Chromium: apt install chromium"

needs_chromium = pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason=REASON)


@asynccontextmanager
async def launch() -> AsyncIterator[Browser]:
    """Run Chromium until the block ends."""
    assert CHROMIUM, REASON
    expect.set_options(timeout=PATIENCE * 1000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()
