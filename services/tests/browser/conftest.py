"""One Chromium for all tests with a browser."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from support.chromium import launch


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with launch() as browser:
        yield browser
