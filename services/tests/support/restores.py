"""Restores of a database of the tests' server. A copy of another database stands for pg_restore and its backup."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from alembic.config import Config
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from accounts.commands import restore
from accounts.database_url import DatabaseUrl
from accounts.settings import get_settings
from conftest import execute, temporary_database, url_of
from support.people import SCHEMA_OWNER
from support.schema import fetch

PRESENT, RESTORED = {"present"}, {"restored"}  # the groups of the database before and after a restore
MARK = "DELETE FROM user_group; INSERT INTO user_group (name) VALUES ('{}')"
# What DROP DATABASE leaves if it is interrupted.
INVALID = "UPDATE pg_database SET datconnlimit = -2 WHERE datname = '{}'"
RIGHTS = """
    SELECT c.relname || coalesce(a.attname, '') || coalesce(a.attacl, c.relacl)::text FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 WHERE c.relnamespace = 'public'::regnamespace
    UNION SELECT coalesce(datacl::text, '') FROM pg_database WHERE datname = current_database()
"""


class Restore:
    """The steps that ``make restore`` runs, on the database ``current``."""

    def __init__(self, current: str, backup: str) -> None:
        self.current = current
        self.backup = backup

    def fill(self) -> None:
        """Do what pg_restore does."""
        execute(f"DROP DATABASE {self.current}_restored")
        execute(f"CREATE DATABASE {self.current}_restored TEMPLATE {self.backup}")

    def run(self) -> None:
        """Run all steps."""
        restore.main(["prepare"])
        self.fill()
        restore.main(["finish"])
        restore.main(["clean"])

    def fetch(self, query: str) -> set[Any]:
        """Return the first column of a query on the database."""
        return asyncio.run(fetch(url_of(self.current, SCHEMA_OWNER), query))

    def groups(self) -> set[str]:
        """Return the names of the groups in the database."""
        return self.fetch("SELECT name FROM user_group")

    def alembic(self, database: str) -> Config:
        """Return the configuration of migrations of a database."""
        url = DatabaseUrl.parse(url_of(database, SCHEMA_OWNER))
        return Config(toml_file="pyproject.toml", attributes={"url": url})

    def mark(self, groups: set[str], database: str = "") -> None:
        """Replace the groups in a database, by default the current one."""
        (name,) = groups
        execute(MARK.format(name), database or self.current)

    def databases(self) -> set[str]:
        """Return which of the three databases exist: "" is the database itself, the others end in what is returned."""
        found = asyncio.run(fetch(url_of("postgres", SCHEMA_OWNER), "SELECT datname FROM pg_database"))
        return {name.removeprefix(self.current) for name in found if name.startswith(self.current)}


@pytest.fixture
def restoring(owned_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Restore]:
    """A restore of a database of this test's own. The API's URL of it is ``fresh_database``."""
    settings = get_settings().model_copy(update={"database_url": SecretStr(owned_database)})
    monkeypatch.setattr(restore, "get_settings", lambda: settings)
    current = make_url(owned_database).database or ""
    with temporary_database() as other:
        restoring = Restore(current, make_url(other).database or "")
        restoring.mark(PRESENT)
        restoring.mark(RESTORED, restoring.backup)
        yield restoring
    for suffix in ("_restored", "_replaced"):
        execute(f"DROP DATABASE IF EXISTS {current}{suffix} WITH (FORCE)")
