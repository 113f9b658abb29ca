"""Statements that are compiled once and handed to the driver: for what is called most, and for PostgreSQL's own SQL.

SQLAlchemy would look each up, or compile it anew, and convert its values, for longer than it takes to run.
"""

from typing import Any

import asyncpg
from sqlalchemy import DateTime, Select, Text, cast, func, literal_column, select, text
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.orm import Session as SyncSession

from accounts.db.session import Session

DIALECT = dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's own


class CompiledStatement:
    """A statement whose parameters are ``bindparam``s, or text that names them as ``:name``.

    Values are the driver's: a UUID, a timedelta, JSON as text. PostgreSQL tells a parameter's type by where it stands.
    """

    def __init__(self, statement: Any) -> None:
        compiled = (text(statement) if isinstance(statement, str) else statement).compile(dialect=DIALECT)
        self._text = str(compiled)
        self._values = dict(compiled.params)
        self._names = tuple(compiled.positiontup or ())

    async def fetch(self, connection: asyncpg.Connection, **values: Any) -> list[Any]:
        """Run it by itself. What is named in ``values`` beyond its parameters is ignored."""
        rows: list[Any] = await connection.fetch(self._text, *self._arguments(values))
        return rows

    async def run(self, db: Session, **values: Any) -> list[Any]:
        """Run it in a session's transaction; nothing is flushed before."""
        return await db.run_sync(self._run, self._arguments(values))

    def _arguments(self, values: dict[str, Any]) -> tuple[Any, ...]:
        known = self._values | values
        return tuple(known[name] for name in self._names)

    def _run(self, db: SyncSession, arguments: tuple[Any, ...]) -> list[Any]:
        result = db.connection().exec_driver_sql(self._text, arguments)
        return list(result.all()) if result.returns_rows else []


INSTANT = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'  # RFC 3339, as everywhere else; connections are in UTC


class JsonRows(CompiledStatement):
    """The same for rows to show: each comes as the text of a JSON object, with the columns by their names."""

    def __init__(self, statement: Select[Any]) -> None:
        rows = statement.subquery("rows")
        shown = select(*[_json_column(column) for column in rows.columns]).subquery("shown")
        super().__init__(select(cast(func.row_to_json(literal_column("shown")), Text)).select_from(shown))

    async def texts(self, connection: asyncpg.Connection, **values: Any) -> list[str]:
        """Run it, for the texts alone."""
        return [text for (text,) in await self.fetch(connection, **values)]


def _json_column(column: Any) -> Any:
    return func.to_char(column, INSTANT).label(column.key) if isinstance(column.type, DateTime) else column
