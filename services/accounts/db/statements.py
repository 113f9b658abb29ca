"""Statements that are compiled once: the most frequent ones, and SQL that only PostgreSQL has.

Everything else uses the ORM or Core, which look a statement up in a cache (or compile it again, as every ON CONFLICT)
and convert its values each time. For a short statement that takes longer than running it.
"""

from collections.abc import Sequence
from typing import Any

import asyncpg
import sqlmodel
from sqlalchemy import DateTime, Row, Select, Text, cast, func, literal_column, select, text
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.orm import Session as SyncSession

from accounts.db.session import Session

# For ORM queries: objects of the session get what other transactions changed before a lock was granted.
POPULATE_EXISTING = {"populate_existing": True}
# The commit of this transaction does not wait for the disk, so its duration does not tell whether something was stored.
ASYNCHRONOUS_COMMIT = sqlmodel.select(func.set_config("synchronous_commit", "off", True))
# The transaction of a request, or a connection of the driver, on which each statement is a transaction.
type Database = Session | asyncpg.Connection
DIALECT = dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's own


class CompiledStatement:
    """A statement compiled for asyncpg: Core with ``bindparam``s, or SQL text with parameters as ``:name``.

    Values and results are those of asyncpg: ``uuid.UUID``, ``timedelta``, lists for arrays, and JSON as text.
    PostgreSQL infers each parameter's type from its context; where it cannot, the statement says CAST.
    """

    def __init__(self, statement: Any) -> None:
        compiled = (text(statement) if isinstance(statement, str) else statement).compile(dialect=DIALECT)
        state = compiled.construct_expanded_state(compiled.params)
        self._sql: str = state.statement
        self._names = tuple(state.positiontup or ())
        self._literals = {name: value for name, value in state.parameters.items() if value is not None}

    async def run(self, db: Session, **values: Any) -> list[Row[Any]]:
        """Run in the transaction of ``db``, without flushing it, and return the rows, if the statement has any."""
        return await db.run_sync(self._run, self._arguments(values))

    async def fetch(self, connection: asyncpg.Connection, **values: Any) -> list[asyncpg.Record]:
        """Run on a connection of the driver, as a transaction of its own, and return the rows."""
        rows: list[asyncpg.Record] = await connection.fetch(self._sql, *self._arguments(values))
        return rows

    async def rows(self, db: Database, **values: Any) -> Sequence[Row[Any] | asyncpg.Record]:
        """Run as ``run`` or ``fetch`` does."""
        return await (self.run(db, **values) if isinstance(db, Session) else self.fetch(db, **values))

    def _arguments(self, values: dict[str, Any]) -> tuple[Any, ...]:
        """Return the values in the order of the statement, without those that it does not use. A missing one raises."""
        values = self._literals | values
        return tuple(values[name] for name in self._names)

    def _run(self, db: SyncSession, arguments: tuple[Any, ...]) -> list[Row[Any]]:
        result = db.connection().exec_driver_sql(self._sql, arguments)
        return list(result.all()) if result.returns_rows else []


# For searches in the rest of the transaction. After five executions PostgreSQL may plan a statement without the values:
# it cannot know then whether a prefix has a million rows or none.
CUSTOM_PLANS = CompiledStatement("SELECT set_config('plan_cache_mode', 'force_custom_plan', true)")
RFC_3339 = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'  # as Pydantic writes it; connections are in UTC


class JsonRows(CompiledStatement):
    """A query whose rows PostgreSQL writes as JSON objects, with a member for each column.

    The API sends them as they are. Pages read them with ``schemas.pagination.read_page``.
    """

    def __init__(self, query: Select[Any]) -> None:
        columns = [_json_column(column) for column in query.subquery("rows").columns]
        shown = select(*columns).subquery("shown")
        super().__init__(select(cast(func.row_to_json(literal_column("shown")), Text)).select_from(shown))

    async def texts(self, db: Database, **values: Any) -> list[str]:
        """Run as ``rows`` does, and return the text of each row's object."""
        return [text for (text,) in await self.rows(db, **values)]

    async def texts_of_search(self, db: Database, **values: Any) -> list[str]:
        """Return the texts with a plan for these values, which takes more round trips; see ``CUSTOM_PLANS``."""
        if isinstance(db, Session):
            await CUSTOM_PLANS.run(db)
            return await self.texts(db, **values)
        async with db.transaction():
            await CUSTOM_PLANS.fetch(db)
            return await self.texts(db, **values)


def _json_column(column: Any) -> Any:
    return func.to_char(column, RFC_3339).label(column.key) if isinstance(column.type, DateTime) else column
