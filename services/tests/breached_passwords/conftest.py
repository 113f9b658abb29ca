"""A server of the range API, and the function that looks passwords up in it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from accounts.domain.breached_passwords.lists import IsBreached, open_lists
from accounts.settings import get_settings
from support.range_api import RangeServer, range_server


@pytest.fixture
def mirror() -> Iterator[RangeServer]:
    with range_server() as mirror:
        yield mirror


@pytest.fixture
async def is_breached(mirror: RangeServer) -> AsyncIterator[IsBreached]:
    async with open_lists(get_settings().model_copy(update={"breached_passwords_url": mirror.url})) as is_breached:
        yield is_breached
