"""A provider, which is a good one, and browsers."""

from collections.abc import Iterator

import pytest

from support.evil_provider import EvilProvider, evil_provider
from support.external_browser import Browser, configure
from support.people import World


@pytest.fixture
def provider() -> Iterator[EvilProvider]:
    with evil_provider() as provider:
        yield provider


@pytest.fixture
def visitor(world: World, provider: EvilProvider) -> Browser:
    configure(world, provider)
    return Browser(world, provider)


@pytest.fixture
def busy_visitor(busy_world: World, provider: EvilProvider) -> Browser:
    configure(busy_world, provider)
    return Browser(busy_world, provider)
