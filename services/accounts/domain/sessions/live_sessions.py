"""Live sessions: the conditions that every query of a usable session shares."""

from typing import Any

from sqlalchemy import ColumnElement, Interval, bindparam, func
from sqlmodel import col

from accounts.models import User, UserSession


def live_conditions(idle: Any) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of a live session: its user is active, and it is neither expired nor idle for too long."""
    return (
        col(UserSession.expires_at) > func.now(),
        col(UserSession.last_seen_at) > func.now() - idle,
        col(User.id) == col(UserSession.user_id),
        col(User.is_active).is_(True),
    )


# Built once: building a statement takes as long as running it.
IS_LIVE = live_conditions(bindparam("idle", type_=Interval))
BY_ID = col(UserSession.id) == bindparam("session_id")
IS_CALLER = col(User.id) == bindparam("caller_id")
IS_SESSION_OF_CALLER = (BY_ID, IS_CALLER, *IS_LIVE)  # by the claims of an access token
