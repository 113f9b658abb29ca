"""Reads without the ORM: a statement over the models is compiled once, and PostgreSQL writes the rows as JSON.

For the routes that are called most. Between the request and the rows there is a statement for who asks and what it is
about, and one for the rows; nothing is made of either but the bytes of the answer.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import asyncpg
from sqlalchemy import select

from accounts.db.engine import ConnectDriver
from accounts.db.session import Sessionmaker, transaction
from accounts.db.statements import JsonRows
from accounts.domain.sessions.access_tokens import Claims
from accounts.domain.sessions.live_sessions import IS_SESSION_OF_CALLER
from accounts.domain.sessions.session_token import SessionToken
from accounts.domain.sessions.sessions import SessionManager
from accounts.models import User
from accounts.schemas.identity.users import UserRead
from accounts.settings import Settings


def select_caller(*columns: Any) -> Any:
    """Select columns of whoever has the live session that ``Reading.parameters`` names: no row, or one."""
    return select(*columns).where(*IS_SESSION_OF_CALLER)


@dataclass(slots=True)
class Reading:
    """What a request reads with: ``async with`` it, a connection, and the token that says who asks, if there is one.

    What runs on the connection needs no transaction.
    """

    connect: ConnectDriver
    reader: Sessionmaker
    settings: Settings
    claims: Claims | None
    cookie: SessionToken | None
    _taken: AbstractAsyncContextManager[asyncpg.Connection] = field(init=False)

    async def __aenter__(self) -> asyncpg.Connection:
        """Take a connection out of the pool."""
        if self.cookie:
            async with transaction(self.reader) as db:
                found = await SessionManager(db, self.settings).by_cookie(self.cookie)
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


SELECT_CURRENT_USER = JsonRows(select_caller(*[getattr(User, name) for name in UserRead.model_fields]))


async def read_current_user(reading: Reading) -> str | None:
    """Show the caller, as the JSON of a ``UserRead``; None without a token of a live session."""
    async with reading as connection:
        texts = await SELECT_CURRENT_USER.texts(connection, **reading.parameters)
    return texts[0] if texts else None
