"""One Chromium for all tests with a browser, and the stories that people live through in it."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from support.browser_stories import DESKTOP, PHONE, Story, telling
from support.chromium import launch
from support.people import World


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with launch() as browser:
        yield browser


@pytest.fixture(params=[DESKTOP, PHONE], ids=lambda view: view.name)
async def story(request: pytest.FixtureRequest, browser: Browser, busy_world: World) -> AsyncIterator[Story]:
    """A story, which is told once in each view."""
    async with telling(busy_world, browser, request.param) as story:
        yield story
