"""Statements that are compiled once, run in a transaction of SQLAlchemy's and on the driver's connection."""

import pytest
from sqlalchemy import DateTime, String, bindparam, func, select

from accounts.db.session import transaction
from accounts.db.statements import CompiledStatement, JsonRows
from support.people import World

ADD = CompiledStatement("SELECT CAST(:first AS int) + CAST(:second AS int), CAST(:first AS int)")


async def test_values_are_bound_by_name_in_the_order_of_the_statement(world: World) -> None:
    async with transaction(world.sessionmaker) as db:
        assert await ADD.run(db, second=2, first=40) == [(42, 40)]
    async with world.connect() as connection:
        assert [tuple(row) for row in await ADD.fetch(connection, second=2, first=40)] == [(42, 40)]


async def test_value_without_a_parameter_is_ignored(world: World) -> None:
    async with world.connect() as connection:
        assert len(await ADD.fetch(connection, first=1, second=1, third=1)) == 1


async def test_missing_value_is_an_error_and_not_null(world: World) -> None:
    async with world.connect() as connection:
        with pytest.raises(KeyError, match="second"):
            await ADD.fetch(connection, first=1)


async def test_statement_without_rows_returns_none(world: World) -> None:
    async with transaction(world.sessionmaker) as db:
        assert await CompiledStatement("SET LOCAL enable_seqscan = off").run(db) == []


async def test_json_rows_are_objects_with_a_member_for_each_column(world: World) -> None:
    instant = func.make_timestamptz(2026, 11, 22, 16, 48, 4.5, "UTC", type_=DateTime(timezone=True))
    rows = JsonRows(select(bindparam("word", type_=String).label("word"), instant.label("at")))

    async with world.connect() as connection:
        assert await rows.texts(connection, word='"Ni!"') == ['{"word":"\\"Ni!\\"","at":"2026-11-22T16:48:04.500000Z"}']
