"""Databases for services of a test's own."""

from collections.abc import Iterator

import pytest

from accounts.migrations.roles import ROLE
from conftest import temporary_database
from support.people import SCHEMA_OWNER


@pytest.fixture
def databases() -> Iterator[list[str]]:
    """The URLs of two migrated ones, as their owner connects."""
    with temporary_database() as one, temporary_database() as two:
        yield [url.replace(f"{ROLE}@", f"{SCHEMA_OWNER}@") for url in (one, two)]
