"""Reads without the ORM: a statement over the models is compiled once, and PostgreSQL writes the rows as JSON.

For the routes that are called most. Between the request and the rows there is a statement for who asks and what it is
about, and one for the rows; nothing is made of either but the bytes of the answer.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import asyncpg
from sqlalchemy import DateTime, Select, Text, cast, func, literal_column, select

from accounts.database import Sessionmaker, transaction
from accounts.domain.keys import Claims
from accounts.domain.prepared import Prepared
from accounts.domain.refresh import Token
from accounts.domain.sessions import BY_TOKEN, SessionManager
from accounts.models import User
from accounts.pool import Connect
from accounts.schemas.user import UserRead
from accounts.settings import Settings

INSTANT = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'  # RFC 3339, as everywhere else; connections are in UTC


class JsonRows(Prepared):
    """The same for rows to show: each comes as the text of a JSON object, with the columns by their names."""

    def __init__(self, statement: Select[Any]) -> None:
        rows = statement.subquery("rows")
        shown = select(*[_shown(column) for column in rows.columns]).subquery("shown")
        super().__init__(select(cast(func.row_to_json(literal_column("shown")), Text)).select_from(shown))

    async def texts(self, connection: asyncpg.Connection, **values: Any) -> list[str]:
        """Run it, for the texts alone."""
        return [text for (text,) in await self.fetch(connection, **values)]


def _shown(column: Any) -> Any:
    return func.to_char(column, INSTANT).label(column.key) if isinstance(column.type, DateTime) else column


def caller(*columns: Any) -> Any:
    """Select columns of whoever has the live session that ``Reading.parameters`` names: no row, or one."""
    return select(*columns).where(*BY_TOKEN)


@dataclass(slots=True)
class Reading:
    """What a request reads with: ``async with`` it, a connection, and the token that says who asks, if there is one.

    What runs on the connection needs no transaction.
    """

    connect: Connect
    reader: Sessionmaker
    settings: Settings
    claims: Claims | None
    cookie: Token | None
    _taken: AbstractAsyncContextManager[asyncpg.Connection] = field(init=False)

    async def __aenter__(self) -> asyncpg.Connection:
        """Take a connection out of the pool."""
        if self.cookie:
            async with transaction(self.reader) as session:
                found = await SessionManager(session, self.settings).by_cookie(self.cookie)
            self.claims = Claims(found[0].id, found[1].id) if found else None
        self._taken = self.connect()
        return await self._taken.__aenter__()

    async def __aexit__(self, *raised: object) -> None:
        """Give it back."""
        await self._taken.__aexit__(*raised)  # type: ignore[arg-type]  # what is raised, as it comes

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of ``caller``."""
        return {
            "session_id": self.claims and self.claims.session_id,
            "caller_id": self.claims and self.claims.user_id,
            "idle": timedelta(seconds=self.settings.session_idle_seconds),
        }


ME = JsonRows(caller(*[getattr(User, name) for name in UserRead.model_fields]))


async def me(reading: Reading) -> str | None:
    """Show the caller, as the JSON of a ``UserRead``; None without a token of a live session."""
    async with reading as connection:
        texts = await ME.texts(connection, **reading.parameters)
    return texts[0] if texts else None
