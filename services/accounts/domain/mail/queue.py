"""The other end of the outbox: what is due is taken by one worker at a time, and its row ends when a server has it.

Whoever takes a mail has it for a while (``lease``) and holds no lock and no connection meanwhile. If they are killed,
another takes it after that time. So a mail can be sent twice, but only if its taker ended, or could not reach the
database again, after the server had accepted it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Interval, bindparam, delete, func, text, update
from sqlmodel import col, select

from accounts.db.session import Session
from accounts.models import OutboxMail
from accounts.models.mail import ERROR_LENGTH
from accounts.observability import metrics

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=15), timedelta(hours=4)
ATTEMPTS = 16  # some two days
LEASE_NEXT: Any = select(OutboxMail).from_statement(
    text("""
        UPDATE outbox SET attempts = attempts + 1, next_at = now() + :lease
        WHERE id = (
            SELECT id FROM outbox WHERE next_at <= now() AND parked_at IS NULL
            ORDER BY next_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
        )
        RETURNING *
    """).bindparams(bindparam("lease", type_=Interval))
)


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many mails wait, for how many seconds the oldest one has, and how many were given up."""

    waiting: int
    oldest_seconds: int
    parked: int


async def lease_next(db: Session, lease: timedelta) -> OutboxMail | None:
    """Take the mail that has been due the longest, if one is."""
    mail: OutboxMail | None = (await db.exec(LEASE_NEXT, params={"lease": lease})).scalars().one_or_none()
    return mail


async def delete_mail(db: Session, mail: OutboxMail) -> None:
    """Be done with a mail: it was accepted, or has become pointless."""
    await db.exec(delete(OutboxMail).where(col(OutboxMail.id) == mail.id))


async def release(db: Session, mail: OutboxMail, reason: str) -> None:
    """Put a mail back that could not even be tried: it is due at once, behind the others, and that was no attempt."""
    await _change(db, mail, reason, next_at=func.now(), attempts=mail.attempts - 1)


async def retry_later(db: Session, mail: OutboxMail, reason: str) -> None:
    """Try a mail again later, each time three times as long; after the last time give it up."""
    if mail.attempts >= ATTEMPTS:
        await park(db, mail, reason)
    else:
        await _change(db, mail, reason, next_at=func.now() + retry_delay(mail.attempts))
        metrics.mail(mail.kind, "postponed")


async def park(db: Session, mail: OutboxMail, reason: str) -> None:
    """Give a mail up, and keep it to be looked at."""
    await _change(db, mail, reason, parked_at=func.now())
    metrics.mail(mail.kind, "parked")


def retry_delay(attempts: int) -> timedelta:
    """Tell for how long a mail rests after so many attempts."""
    wait: timedelta = FIRST_WAIT * 3 ** min(attempts - 1, 10)
    return min(wait, LONGEST_WAIT)


async def _change(db: Session, mail: OutboxMail, reason: str, **values: Any) -> None:
    values["error"] = reason[:ERROR_LENGTH]
    await db.exec(update(OutboxMail).where(col(OutboxMail.id) == mail.id).values(values))


async def backlog(db: Session) -> Backlog:
    """Count what waits and what was given up."""
    waiting = col(OutboxMail.parked_at).is_(None)
    counts = select(
        func.count().filter(waiting),
        func.min(OutboxMail.created_at).filter(waiting),
        func.count().filter(~waiting),
        func.clock_timestamp(),
    ).select_from(OutboxMail)
    number, oldest, parked, now = (await db.exec(counts)).one()
    return Backlog(number, _seconds(oldest, now), parked)


def _seconds(begun: datetime | None, now: datetime) -> int:
    return int((now - begun).total_seconds()) if begun else 0
