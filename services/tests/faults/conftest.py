"""Databases for the stacks of tests."""

from collections.abc import Iterator

import pytest

from accounts.migrations.roles import ROLE
from conftest import temporary_database
from support.people import SCHEMA_OWNER
from support.restores import restoring

__all__ = ["restoring"]


@pytest.fixture
def databases() -> Iterator[list[str]]:
    """The URLs of two migrated databases, as their owner connects."""
    with temporary_database() as one, temporary_database() as two:
        yield [url.replace(f"{ROLE}@", f"{SCHEMA_OWNER}@") for url in (one, two)]
