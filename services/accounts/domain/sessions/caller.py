"""The caller of a fast read, whom the statement itself finds by the ids of the user and the session, without the ORM.

An ordinary route depends on ``CurrentUser`` and has the user as an ORM object. A fast route has only the ids of the
user and the session, from the access token or from the cookie. It passes them to its statement, which selects nothing
unless that session is live: revoking a session takes effect at once here, too.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, select

from accounts.db.engine import ConnectDriver
from accounts.db.statements import JsonRows
from accounts.domain.sessions.access_tokens import Claims
from accounts.domain.sessions.live_sessions import IS_SESSION_OF_CALLER
from accounts.models import User
from accounts.schemas.identity.users import UserRead


@dataclass(frozen=True, slots=True)
class FastReader:
    """The driver's connections, and the caller's ids. ``claims`` is None for anonymous callers.

    ``idle`` is the time after which an unused session expires.
    """

    connect: ConnectDriver
    claims: Claims | None
    idle: timedelta

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of the parameters of ``select_caller``."""
        return {
            "session_id": self.claims and self.claims.session_id,
            "caller_id": self.claims and self.claims.user_id,
            "idle": self.idle,
        }


def select_caller(*columns: Any) -> Select[Any]:
    """Select columns of the caller: one row, or none if the session is not live or the user is inactive."""
    return select(*columns).where(*IS_SESSION_OF_CALLER)


SELECT_CURRENT_USER = JsonRows(select_caller(*[getattr(User, name) for name in UserRead.model_fields]))


async def read_current_user(reader: FastReader) -> str | None:
    """Return the caller as the JSON of a ``UserRead``, or None without a live session."""
    async with reader.connect() as connection:
        users = await SELECT_CURRENT_USER.texts(connection, **reader.parameters)
    return users[0] if users else None
