"""The mail queue as the worker sees it: the rows of the outbox.

A worker leases the next due row for a while, sends it, and deletes it after the SMTP server accepted the message.
While sending it holds neither lock nor connection. Delivery is at least once: a row whose worker died, or could not
reach the database again, is sent again after its lease, with the same Message-ID.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, update
from sqlmodel import col, select

from accounts.db.session import Session
from accounts.models import OutboxMail
from accounts.models.mail import ERROR_LENGTH, LAST_TURN
from accounts.observability import metrics

FIRST_DELAY, MAX_DELAY = timedelta(seconds=15), timedelta(hours=4)
MAX_ATTEMPTS = 16  # within about two days


@dataclass(frozen=True, slots=True)
class Backlog:
    """The number of queued mails, the age of the oldest in seconds, and the number of parked mails.

    Mail to the users of an import may wait for days, and has no age.
    """

    waiting: int
    oldest_seconds: int
    parked: int


async def lease_next(db: Session, lease: timedelta) -> OutboxMail | None:
    """Lease the due mail whose turn it is, and count the attempt. Return None if none is due.

    Mail about the recipient's own account comes first, that with a token before notices; among the rest, senders take
    turns. Mail to the users of an import is last.
    """
    due = (
        select(OutboxMail.id)
        .where(col(OutboxMail.next_at) <= func.now(), col(OutboxMail.parked_at).is_(None))
        .order_by(col(OutboxMail.turn), col(OutboxMail.id))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(OutboxMail)
        .where(col(OutboxMail.id) == due.scalar_subquery())
        .values(attempts=OutboxMail.attempts + 1, next_at=func.now() + lease)
        .returning(OutboxMail)
        .execution_options(synchronize_session=False)
    )
    mail: OutboxMail | None = (await db.exec(statement)).scalar_one_or_none()
    return mail


async def delete_mail(db: Session, mail: OutboxMail) -> None:
    """Delete a mail that was accepted or has become obsolete."""
    await db.exec(delete(OutboxMail).where(col(OutboxMail.id) == mail.id))


async def release(db: Session, mail: OutboxMail, reason: str) -> None:
    """End the lease of a mail that was not tried. It is due again at once, as if not attempted."""
    await _update(db, mail, reason, next_at=func.now(), attempts=mail.attempts - 1)


async def retry_later(db: Session, mail: OutboxMail, reason: str) -> None:
    """Schedule the next attempt with exponential backoff. Park the mail after the last attempt."""
    if mail.attempts >= MAX_ATTEMPTS:
        await park(db, mail, reason)
    else:
        await _update(db, mail, reason, next_at=func.now() + retry_delay(mail.attempts))
        metrics.mail(mail.kind, "postponed")


async def postpone(db: Session, mail: OutboxMail, delay: timedelta) -> None:
    """Send a mail later that was not tried, because its recipient has received many.

    The delay is spread up to its double: not all mails to the recipient become due when one more may be sent.
    """
    values = {"next_at": func.now() + delay * (1 + func.random()), "attempts": mail.attempts - 1}
    await db.exec(update(OutboxMail).where(col(OutboxMail.id) == mail.id).values(values))


async def park(db: Session, mail: OutboxMail, reason: str) -> None:
    """Stop trying to send a mail, and keep it for an operator to inspect."""
    await _update(db, mail, reason, parked_at=func.now())
    metrics.mail(mail.kind, "parked")


def retry_delay(attempts: int) -> timedelta:
    """Return the delay after a number of attempts. It triples with each attempt, up to four hours."""
    delay: timedelta = FIRST_DELAY * 3 ** min(attempts - 1, 10)
    return min(delay, MAX_DELAY)


async def _update(db: Session, mail: OutboxMail, reason: str, **values: Any) -> None:
    values["error"] = reason[:ERROR_LENGTH]
    await db.exec(update(OutboxMail).where(col(OutboxMail.id) == mail.id).values(values))


async def backlog(db: Session) -> Backlog:
    """Count the queued and the parked mails."""
    waiting = col(OutboxMail.parked_at).is_(None)
    counts = select(
        func.count().filter(waiting),
        func.min(OutboxMail.created_at).filter(waiting, col(OutboxMail.turn) < LAST_TURN),
        func.count().filter(~waiting),
        func.clock_timestamp(),
    ).select_from(OutboxMail)
    count, oldest, parked, now = (await db.exec(counts)).one()
    return Backlog(count, _seconds(oldest, now), parked)


def _seconds(start: datetime | None, now: datetime) -> int:
    return int((now - start).total_seconds()) if start else 0
