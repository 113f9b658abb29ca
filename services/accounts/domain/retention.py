"""Deleting what has had its time; only the owner of the schema may delete from the record."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, tuple_
from sqlmodel import col, or_, select

from accounts.db.session import Session
from accounts.domain.audit.log import Action, record
from accounts.models import (
    AuditEvent,
    Entity,
    Invitation,
    KnownDevice,
    OneTimeToken,
    OutboxMail,
    Throttle,
    UserSession,
)
from accounts.settings import Settings

DEVICES = timedelta(days=180)
PARKED = timedelta(days=30)  # a mail that was given up: time to see it, and why
# For this transaction alone: there may be years of it.
NO_TIMEOUT = select(func.set_config("statement_timeout", "0", True))


async def delete_expired(db: Session, settings: Settings) -> dict[str, int]:
    """Delete dead sessions, tokens and invitations, counts that have run out, and events beyond the retention.

    Returns:
        How many rows were deleted of which table.

    """
    now, idle = func.now(), timedelta(seconds=settings.session_idle_seconds)
    await db.exec(NO_TIMEOUT)
    deleted = {
        "user_session": await _delete(
            db, UserSession, or_(col(UserSession.expires_at) < now, col(UserSession.last_seen_at) < now - idle)
        ),
        "one_time_token": await _delete(db, OneTimeToken, col(OneTimeToken.expires_at) < now),
        "invitation": await _delete(db, Invitation, col(Invitation.expires_at) < now),
        "known_device": await _delete(db, KnownDevice, col(KnownDevice.seen_at) < now - DEVICES),
        "outbox": await _delete(db, OutboxMail, col(OutboxMail.parked_at) < now - PARKED),
        "throttle": await _delete(db, Throttle, col(Throttle.arrival_at) < now),
        "audit_event": await _delete(db, AuditEvent, col(AuditEvent.at) < now - timedelta(settings.audit_days)),
    }
    if any(deleted.values()):
        await record(db, Action.PRUNED, deleted=deleted)
    return deleted


async def _delete(db: Session, entity: type[Entity], dead: ColumnElement[bool]) -> int:
    # Rows that somebody works on are left for the next time: who waits for none can be in no deadlock.
    key: Any = tuple_(*entity.__table__.primary_key)  # type: ignore[attr-defined]  # SQLModel doesn't declare it
    free = select(*entity.__table__.primary_key).where(dead).with_for_update(skip_locked=True)  # type: ignore[attr-defined]  # as above
    return (await db.exec(delete(entity).where(key.in_(free)))).rowcount
