"""The record of what happened: written in the transaction that does it, by whoever does it."""

import uuid
from enum import StrEnum
from typing import Any

from accounts.database import Session
from accounts.models import AuditEvent


class Action(StrEnum):
    """What can be recorded, named object.verb."""

    SESSION_STARTED = "session.started"
    SESSION_REFUSED = "session.refused"
    SESSION_ENDED = "session.ended"
    SESSIONS_REVOKED = "sessions.revoked"
    REFRESH_REUSED = "refresh.reused"


async def record(
    session: Session,
    action: Action,
    *,
    user_id: uuid.UUID | None = None,
    group_id: int | None = None,
    **detail: Any,
) -> None:
    """Add an event to the session's transaction; the actor and the address are the session's own.

    ``user_id`` is whom it was done to; where nobody is signed in, that is the actor too.
    """
    actor_id = session.info.get("actor_id", user_id)
    address = session.info.get("address", "")
    session.add(
        AuditEvent(action=action, actor_id=actor_id, user_id=user_id, group_id=group_id, address=address, detail=detail)
    )
    await session.flush()
