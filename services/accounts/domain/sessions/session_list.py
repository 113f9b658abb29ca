"""The list of a user's live sessions, the newest first; for the API as the JSON of ``SessionRead``."""

import uuid
from datetime import timedelta

from sqlalchemy import Uuid, bindparam, select
from sqlmodel import col

from accounts.db.statements import Database, JsonRows
from accounts.domain.sessions.live_sessions import IS_LIVE
from accounts.models import UserSession
from accounts.schemas.sessions import SessionRead

# By time: ordered by id alone, PostgreSQL would read the sessions of all users until it has found enough.
NEWEST_FIRST = (col(UserSession.created_at).desc(), col(UserSession.id).desc())
OF_USER = (col(UserSession.user_id) == bindparam("user_id", type_=Uuid), *IS_LIVE)
COLUMNS = {name: getattr(UserSession, name) for name in SessionRead.model_fields if name != "current"}
CURRENT = (col(UserSession.id) == bindparam("session_id", type_=Uuid)).label("current")
SELECT_SESSIONS = JsonRows(select(*COLUMNS.values(), CURRENT).where(*OF_USER).order_by(*NEWEST_FIRST))


async def list_sessions(db: Database, user_id: uuid.UUID, current: uuid.UUID, idle: timedelta) -> list[str]:
    """Return the live sessions of a user, as JSON.

    Args:
        current: the id of the session that is marked as the current one.
        idle: the time after which an unused session expires.

    """
    return await SELECT_SESSIONS.texts(db, user_id=user_id, session_id=current, idle=idle)
