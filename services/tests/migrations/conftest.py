"""Alembic, as its command line runs it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config

from accounts.settings import get_settings
from support.schema import Alembic


@pytest.fixture
def alembic(owned_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Alembic]:
    """Run one of Alembic's commands on a database of this test's own."""

    def run(name: str, *arguments: Any, config: str | Path = "pyproject.toml", **options: Any) -> Any:
        return getattr(command, name)(Config(toml_file=str(config)), *arguments, **options)

    monkeypatch.setenv("DATABASE_URL", owned_database)
    get_settings.cache_clear()
    yield run
    get_settings.cache_clear()
