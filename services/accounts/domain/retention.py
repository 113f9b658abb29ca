"""Retention: which rows are deleted, and when. Runs as the schema's owner: no other role may delete audit events."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, tuple_
from sqlmodel import col, or_, select

from accounts.db.session import Session
from accounts.domain.audit.log import Action, record
from accounts.domain.rate_limits.rules import KNOWN_NETWORK_TTL
from accounts.models import (
    AuditEvent,
    Entity,
    Invitation,
    KnownDevice,
    MailKind,
    OneTimeToken,
    OutboxMail,
    PendingRegistration,
    Throttle,
    UserSession,
)
from accounts.settings import Settings

KNOWN_DEVICE_TTL = timedelta(days=180)
PARKED_MAIL_TTL = timedelta(days=30)  # time to see the failure and its reason
# The lifetime of a token begins when its mail is written, so a token is kept as long as a mail may still carry it.
HAS_MAIL = exists().where(col(OutboxMail.user_id) == OneTimeToken.user_id)
HAS_SIGN_UP_MAIL = exists().where(
    col(OutboxMail.kind) == MailKind.SIGN_UP, col(OutboxMail.email) == PendingRegistration.email
)
# For this transaction only: the first run may delete years of rows.
DISABLE_TIMEOUT = select(func.set_config("statement_timeout", "0", True))


async def delete_expired(db: Session, settings: Settings) -> dict[str, int]:
    """Delete expired rows, and record an audit event if there were any.

    Returns:
        The number of deleted rows by table.

    """
    now = func.now()
    idle_since = now - timedelta(seconds=settings.session_idle_seconds)
    await db.exec(DISABLE_TIMEOUT)
    conditions: dict[type[Entity], ColumnElement[bool]] = {
        UserSession: or_(col(UserSession.expires_at) < now, col(UserSession.last_seen_at) < idle_since),
        OneTimeToken: and_(col(OneTimeToken.expires_at) < now, ~HAS_MAIL),
        PendingRegistration: and_(col(PendingRegistration.expires_at) < now, ~HAS_SIGN_UP_MAIL),
        Invitation: col(Invitation.expires_at) < now,
        KnownDevice: col(KnownDevice.seen_at) < now - KNOWN_DEVICE_TTL,
        OutboxMail: col(OutboxMail.parked_at) < now - PARKED_MAIL_TTL,
        Throttle: or_(col(Throttle.arrival_at) < now, col(Throttle.arrival_at) > now + KNOWN_NETWORK_TTL),
        AuditEvent: col(AuditEvent.at) < now - timedelta(settings.audit_days),
    }
    deleted = {str(entity.__tablename__): await _delete(db, entity, expired) for entity, expired in conditions.items()}
    if any(deleted.values()):
        await record(db, Action.PRUNED, deleted=deleted)
    return deleted


async def _delete(db: Session, entity: type[Entity], condition: ColumnElement[bool]) -> int:
    # Locked rows are left for the next run: a statement that waits for no lock cannot deadlock.
    columns: Any = entity.__table__.primary_key  # type: ignore[attr-defined]  # SQLModel does not declare it
    unlocked = select(*columns).where(condition).with_for_update(skip_locked=True)
    return (await db.exec(delete(entity).where(tuple_(*columns).in_(unlocked)))).rowcount
