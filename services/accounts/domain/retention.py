"""Retention: which rows are deleted, and when. Runs as the schema's owner: no other role may delete audit events."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, delete, exists, func, tuple_
from sqlmodel import col, or_, select

from accounts.db.session import CommittedRefusal, Session
from accounts.domain.audit.log import Action, record
from accounts.domain.mailed_codes.store import MAIL_TTL
from accounts.domain.rate_limits.rules import KNOWN_NETWORK_TTL
from accounts.domain.totp.codes import UNCONFIRMED_LIFETIME
from accounts.models import (
    AccessKey,
    AuditEvent,
    Entity,
    Figure,
    Invitation,
    KnownDevice,
    MailedCode,
    MailKind,
    MemberImport,
    OneTimeToken,
    OutboxMail,
    PendingAuthorization,
    PendingRegistration,
    PendingSignIn,
    Period,
    Throttle,
    Totp,
    UserSession,
    WebauthnChallenge,
)
from accounts.settings import Settings

KNOWN_DEVICE_TTL = timedelta(days=180)
EXPIRED_KEY_TTL = timedelta(days=30)  # the list shows what has expired
PARKED_MAIL_TTL = timedelta(days=30)  # time to see the failure and its reason
ENDED_IMPORT_TTL = timedelta(days=30)  # the page of the group lists them
HOURLY_FIGURES_TTL, DAILY_FIGURES_TTL = timedelta(days=32), timedelta(days=400)  # a month by days, a year by months
# The lifetime of a token begins when its mail is written, so a token is kept as long as a mail may still carry it.
HAS_MAIL = exists().where(col(OutboxMail.user_id) == OneTimeToken.user_id)
HAS_SIGN_UP_MAIL = exists().where(
    col(OutboxMail.kind) == MailKind.SIGN_UP, col(OutboxMail.email) == PendingRegistration.email
)
# For this transaction only: the first run may delete years of rows.
DISABLE_TIMEOUT = select(func.set_config("statement_timeout", "0", True))


# The clean-up runs each hour, so rows are deleted soon after they expire. Many rows that expired long ago mean that it
# did not run, that a setting was lowered, or that the database's clock is wrong, which would delete everything.
FEW_ROWS = 100  # fewer are deleted without a question
OVERDUE = timedelta(days=1)  # suspicious if it is most of the table, for example all sessions
LONG_OVERDUE = timedelta(days=7)  # suspicious in any case
OVERRIDE = 'make admin ARGS="prune --overdue"'


class PruningRefused(CommittedRefusal):
    """Suspiciously many rows expired suspiciously long ago, and were kept. All others were deleted."""


@dataclass(frozen=True)
class Expiry:
    """When rows of a table are deleted: under ``condition``, which begins at the time ``since``.

    Without ``since`` the deletion is never suspicious; ``harmless`` says why losing the rows does no harm.
    """

    condition: ColumnElement[bool]
    since: SQLColumnExpression[Any] | None = None
    harmless: str = ""


def expiries(settings: Settings) -> dict[type[Entity], Expiry]:
    """Return the tables from which rows are deleted."""
    now = func.now()
    idle, audit_age = settings.session_idle, timedelta(settings.audit_days)
    session_ends, idle_at = col(UserSession.expires_at), col(UserSession.last_seen_at) + idle
    key_ends = col(AccessKey.expires_at)
    expired_token = and_(col(OneTimeToken.expires_at) < now, ~HAS_MAIL)
    unused_limit = or_(col(Throttle.arrival_at) < now, col(Throttle.arrival_at) > now + KNOWN_NETWORK_TTL)
    pending = and_(col(PendingRegistration.expires_at) < now, ~HAS_SIGN_UP_MAIL)
    unconfirmed = and_(col(Totp.confirmed_at).is_(None), col(Totp.created_at) < now - UNCONFIRMED_LIFETIME)
    # By whole days: each deletion is an event of the audit log.
    today = func.date_trunc("day", now, "UTC")
    old_figure = or_(
        and_(col(Figure.period) == Period.HOUR, col(Figure.at) < today - HOURLY_FIGURES_TTL),
        and_(col(Figure.period) == Period.DAY, col(Figure.at) < today - DAILY_FIGURES_TTL),
    )
    import_ended = col(MemberImport.finished_at)
    forgotten_device = col(KnownDevice.seen_at) < now - KNOWN_DEVICE_TTL
    return {
        UserSession: Expiry(
            or_(session_ends < now, col(UserSession.last_seen_at) < now - idle), func.least(session_ends, idle_at)
        ),
        AccessKey: Expiry(key_ends < now - EXPIRED_KEY_TTL, key_ends + EXPIRED_KEY_TTL),
        OneTimeToken: Expiry(expired_token, harmless="users can request another mail"),
        PendingRegistration: Expiry(pending, harmless="people can sign up again"),
        PendingAuthorization: Expiry(
            col(PendingAuthorization.expires_at) < now, harmless="users can begin the sign-in again"
        ),
        PendingSignIn: Expiry(col(PendingSignIn.expires_at) < now, harmless="users can sign in again"),
        Totp: Expiry(unconfirmed, harmless="users can begin again"),
        WebauthnChallenge: Expiry(col(WebauthnChallenge.expires_at) < now, harmless="users can try again"),
        # Those of mail that waits are kept for longer than it is written, and all others as long.
        MailedCode: Expiry(col(MailedCode.expires_at) < now - MAIL_TTL, harmless="users can request another code"),
        Invitation: Expiry(col(Invitation.expires_at) < now, col(Invitation.expires_at)),
        KnownDevice: Expiry(forgotten_device, harmless="users get a notice of their next sign-in"),
        OutboxMail: Expiry(
            col(OutboxMail.parked_at) < now - PARKED_MAIL_TTL, col(OutboxMail.parked_at) + PARKED_MAIL_TTL
        ),
        MemberImport: Expiry(import_ended < now - ENDED_IMPORT_TTL, import_ended + ENDED_IMPORT_TTL),
        Figure: Expiry(old_figure, harmless="days have the sums of their hours, and the audit log what was counted"),
        Throttle: Expiry(unused_limit, harmless="the limits of a few minutes or hours begin again"),
        AuditEvent: Expiry(col(AuditEvent.at) < now - audit_age, col(AuditEvent.at) + audit_age),
    }


async def delete_expired(db: Session, settings: Settings, *, overdue: bool = False) -> dict[str, int]:
    """Delete expired rows, and record an audit event if there were any.

    Args:
        db: a transaction of the schema's owner.
        settings: SESSION_IDLE_SECONDS and AUDIT_DAYS are used.
        overdue: delete also what is suspiciously much.

    Returns:
        The number of deleted rows by table.

    Raises:
        PruningRefused: the message names the tables whose rows were kept. The other tables' rows were deleted.

    """
    await db.exec(DISABLE_TIMEOUT)
    deleted, refused = {}, []
    for entity, expiry in expiries(settings).items():
        suspicion = None if overdue else await _suspicion(db, entity, expiry)
        deleted[str(entity.__tablename__)] = 0 if suspicion else await _delete(db, entity, expiry.condition)
        refused += [suspicion] if suspicion else []
    if any(deleted.values()):
        await record(db, Action.PRUNED, deleted=deleted)
    if refused:
        message = f"{'; '.join(refused)}. Is the database's clock right? If this is intended: {OVERRIDE}"
        raise PruningRefused(message)
    return deleted


async def _suspicion(db: Session, entity: type[Entity], expiry: Expiry) -> str | None:
    if expiry.since is None:
        return None
    longest_overdue: Any = func.now() - func.min(expiry.since)
    overdue = select(func.count(), longest_overdue).select_from(entity).where(expiry.condition)
    rows, longest = (await db.exec(overdue)).one()
    if rows < FEW_ROWS or longest < OVERDUE:
        return None
    total = (await db.exec(select(func.count()).select_from(entity))).one()
    if longest < LONG_OVERDUE and rows <= total / 2:
        return None
    return f"kept {rows:,} of {total:,} rows of {entity.__tablename__}, which expired up to {longest.days:,} days ago"


async def _delete(db: Session, entity: type[Entity], condition: ColumnElement[bool]) -> int:
    # Locked rows are left for the next run: a statement that waits for no lock cannot deadlock.
    columns: Any = entity.__table__.primary_key  # type: ignore[attr-defined]  # SQLModel does not declare it
    unlocked = select(*columns).where(condition).with_for_update(skip_locked=True)
    return (await db.exec(delete(entity).where(tuple_(*columns).in_(unlocked)))).rowcount
