"""Databases for services of a test's own."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from accounts.migrations.roles import ROLE
from conftest import copy_of_template, execute
from support.people import SCHEMA_OWNER


@pytest.fixture
def databases() -> Iterator[list[str]]:
    """The URLs of two migrated ones, as their owner connects."""
    names = [f"faults_{uuid4().hex}" for _ in range(2)]
    yield [copy_of_template(name).replace(f"{ROLE}@", f"{SCHEMA_OWNER}@") for name in names]
    for name in names:
        execute(f"DROP DATABASE {name} WITH (FORCE)")
