"""A replica that answers with an error."""

from typing import Any, cast

import asyncpg
import pytest

from accounts.db.replica import open_replica
from accounts.db.statements import Database
from accounts.settings import Settings


async def test_statement_that_fails_at_the_replica_is_run_at_the_primary_and_the_replica_is_asked_again(
    fresh_settings: Settings,
) -> None:
    """For example of a replica that has not replayed a migration yet."""
    primary = cast("asyncpg.Connection", object())
    asked: list[Database] = []

    async def work(db: Any) -> str:
        asked.append(db)
        return "rows" if db is primary else await db.fetch("SELECT FROM nowhere")

    settings = fresh_settings.model_copy(update={"database_read_url": fresh_settings.database_url})
    async with open_replica(settings) as replica:
        assert [await replica.read(primary, work) for _ in range(2)] == ["rows", "rows"]

    assert [db is primary for db in asked] == [False, True, False, True]


async def test_refusal_of_the_domain_is_no_error_of_the_replica(fresh_settings: Settings) -> None:
    primary = cast("asyncpg.Connection", object())
    settings = fresh_settings.model_copy(update={"database_read_url": fresh_settings.database_url})

    async def refuse(_: Any) -> None:
        raise LookupError

    async with open_replica(settings) as replica:
        with pytest.raises(LookupError):
            await replica.read(primary, refuse)
