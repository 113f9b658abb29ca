"""The caller of a fast read, whom the statement itself finds by the ids of the user and the session, without the ORM.

An ordinary route depends on ``CurrentUser`` and has the user as an ORM object. A fast route has only the ids of the
user and the session, from the access token. Lists look the caller up with ``find_caller``; the two reads that are
called most pass the ids to their own statement. Both find nothing unless the session is live: revoking it takes effect
at once here, too. A caller with a cookie or an access key has been looked up by a statement before.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import asyncpg
from sqlalchemy import Select, SmallInteger, bindparam, select
from sqlmodel import col

from accounts.db.engine import ConnectDriver
from accounts.db.replica import Replica
from accounts.db.session import CallerLevel
from accounts.db.statements import CompiledStatement, JsonRows
from accounts.domain.people import Caller
from accounts.domain.sessions.access_tokens import Claims
from accounts.domain.sessions.live_sessions import IS_CALLER, IS_SESSION_OF_CALLER
from accounts.models import SessionKind, User, UserSession
from accounts.schemas.identity.users import UserRead

IS_OF_PERSON = col(UserSession.kind) != SessionKind.SERVICE


@dataclass(frozen=True, slots=True)
class FastReader:
    """The driver's connections, and the caller's ids. ``claims`` is None for anonymous callers.

    ``idle`` is the time after which an unused session expires. ``looked_up`` means that another statement has checked
    the session or the key already, and found its ``caller_level``. Rows that may be stale are read at ``replica``.
    """

    connect: ConnectDriver
    claims: Claims | None
    idle: timedelta
    looked_up: bool = False
    caller_level: CallerLevel = field(default_factory=CallerLevel)
    replica: Replica = field(default_factory=Replica)

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of the parameters of ``select_caller``."""
        return {
            "session_id": self.claims and self.claims.session_id,
            "caller_id": self.claims and self.claims.user_id,
            "idle": self.idle,
            "level": self.caller_level.level,
        }

    def at(self, level: int) -> CallerLevel:
        """Return the caller's assurance level, as the column ``LEVEL`` says it."""
        return replace(self.caller_level, level=level)


# The assurance level of the caller. By whether the caller was looked up.
LEVEL: dict[bool, Any] = {
    False: col(UserSession.aal).label("level"),
    True: bindparam("level", type_=SmallInteger).label("level"),
}


def select_caller(*columns: Any, looked_up: bool) -> Select[Any]:
    """Select columns of the caller: one row, or none if the user is inactive.

    There is none either, unless the caller was ``looked_up`` before, if the session is not live or not a person's.
    """
    conditions = (IS_CALLER, col(User.is_active)) if looked_up else (*IS_SESSION_OF_CALLER, IS_OF_PERSON)
    return select(*columns).where(*conditions)


SELECT_CURRENT_USER = {
    looked_up: JsonRows(
        select_caller(*[getattr(User, name) for name in UserRead.model_fields], looked_up=looked_up),
    )
    for looked_up in (False, True)
}


def _select_standing(*, looked_up: bool) -> CompiledStatement:
    columns = (User.id, User.email, User.is_verified, User.is_superuser, LEVEL[looked_up])
    return CompiledStatement(select_caller(*columns, looked_up=looked_up))


SELECT_STANDING = {looked_up: _select_standing(looked_up=looked_up) for looked_up in (False, True)}


async def find_caller(reader: FastReader, connection: asyncpg.Connection) -> Caller | None:
    """Return the caller, or None without a live session or key."""
    if reader.claims is None:
        return None
    rows = await SELECT_STANDING[reader.looked_up].fetch(connection, **reader.parameters)
    if not rows:
        return None
    user_id, email, is_verified, is_superuser, level = rows[0]
    return Caller(user_id, email, is_verified, is_superuser, reader.at(level))


async def read_current_user(reader: FastReader) -> str | None:
    """Return the caller as the JSON of a ``UserRead``, or None without a live session or key."""
    if reader.claims is None:
        return None
    async with reader.connect() as connection:
        users = await SELECT_CURRENT_USER[reader.looked_up].texts(connection, **reader.parameters)
    return users[0] if users else None
