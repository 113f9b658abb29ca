"""The mail queue as the worker sees it: the rows of the outbox.

A worker leases the next due rows for a while, sends each, and deletes it after the SMTP server accepted the message.
While sending it holds neither lock nor connection. Delivery is at least once: a row whose worker died, or could not
reach the database again, is sent again after its lease, with the same Message-ID.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import func
from sqlmodel import col, select

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement, Database
from accounts.models import MailKind, OutboxMail
from accounts.models.mail import ERROR_LENGTH, LAST_TURN
from accounts.observability import metrics

FIRST_DELAY, MAX_DELAY = timedelta(seconds=15), timedelta(hours=4)
MAX_ATTEMPTS = 16  # within about two days


@dataclass(frozen=True, slots=True)
class LeasedMail:
    """A mail of the outbox that this worker sends, with the name of the user who gets it and that user's language."""

    id: uuid.UUID
    kind: MailKind
    email: str
    user_id: uuid.UUID | None
    invitation_id: int | None
    sender_id: uuid.UUID | None
    detail: dict[str, Any]
    created_at: datetime
    attempts: int
    error: str
    name: str
    language: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """The number of queued mails, the age of the oldest in seconds, and the number of parked mails.

    Mail to the users of an import may wait for days, and has no age.
    """

    waiting: int
    oldest_seconds: int
    parked: int


DELETE = CompiledStatement("DELETE FROM outbox WHERE id = :id")
RESCHEDULE = CompiledStatement("""
    UPDATE outbox SET next_at = now() + CAST(:delay AS interval), attempts = :attempts, error = :error WHERE id = :id
""")
POSTPONE = CompiledStatement("""
    UPDATE outbox SET next_at = now() + CAST(:delay AS interval) * (1 + random()), attempts = :attempts WHERE id = :id
""")
# Not a mail whose lease has ended, and which another worker has leased since.
PUT_BACK = CompiledStatement("""
    UPDATE outbox SET next_at = now(), attempts = outbox.attempts - 1
    FROM unnest(CAST(:ids AS uuid[]), CAST(:attempts AS integer[])) AS leased (id, attempts)
    WHERE outbox.id = leased.id AND outbox.attempts = leased.attempts
""")
PARK = CompiledStatement("UPDATE outbox SET parked_at = now(), error = :error WHERE id = :id")


async def lease_next(db: Database, lease: timedelta, most: int) -> list[LeasedMail]:
    """Lease the mails that are due and whose turn it is, in their order, and count the attempts: ``most`` at most.

    Mail about the recipient's own account comes first, that with a token before notices; among the rest, senders take
    turns. Mail to the users of an import is last. A language that the user chose replaces that of the mail.
    """
    return [
        LeasedMail(mail_id, MailKind(kind), email, user_id, invitation_id, sender_id, json.loads(detail), *others)
        for mail_id, kind, email, user_id, invitation_id, sender_id, detail, *others in await _lease(most).rows(
            db, lease=lease
        )
    ]


@cache
def _lease(most: int) -> CompiledStatement:
    """Compile the statement whose columns are those of LeasedMail.

    The number is no parameter: PostgreSQL would plan for a tenth of the queue, which it might sort.
    """
    return CompiledStatement(f"""
        WITH leased AS (
            UPDATE outbox SET attempts = attempts + 1, next_at = now() + CAST(:lease AS interval)
            WHERE id = ANY(ARRAY(
                SELECT id FROM outbox WHERE next_at <= now() AND parked_at IS NULL
                ORDER BY turn, id LIMIT {most:d} FOR UPDATE SKIP LOCKED
            ))
            RETURNING *
        )
        SELECT leased.id, kind, leased.email, user_id, invitation_id, sender_id, CAST(detail AS text),
            leased.created_at, attempts, error, coalesce("user".display_name, ''),
            coalesce("user".language, leased.language)
        FROM leased LEFT JOIN "user" ON "user".id = user_id ORDER BY turn, leased.id
    """)  # noqa: S608  # a number


async def delete_mail(db: Database, mail: LeasedMail) -> None:
    """Delete a mail that was accepted or has become obsolete."""
    await DELETE.rows(db, id=mail.id)


async def put_back(db: Database, mails: Sequence[LeasedMail]) -> None:
    """End the leases of mails that were not tried. They are due again at once, as if not attempted."""
    await PUT_BACK.rows(db, ids=[mail.id for mail in mails], attempts=[mail.attempts for mail in mails])


async def release(db: Database, mail: LeasedMail, reason: str) -> None:
    """Put a mail back whose server is away, with the reason."""
    await _reschedule(db, mail, reason, timedelta(), mail.attempts - 1)


async def retry_later(db: Database, mail: LeasedMail, reason: str) -> None:
    """Schedule the next attempt with exponential backoff. Park the mail after the last attempt."""
    if mail.attempts >= MAX_ATTEMPTS:
        await park(db, mail, reason)
    else:
        await _reschedule(db, mail, reason, retry_delay(mail.attempts), mail.attempts)
        metrics.mail(mail.kind, "postponed")


async def postpone(db: Database, mail: LeasedMail, delay: timedelta) -> None:
    """Send a mail later that was not tried, because its recipient has received many.

    The delay is spread up to its double: not all mails to the recipient become due when one more may be sent.
    """
    await POSTPONE.rows(db, id=mail.id, delay=delay, attempts=mail.attempts - 1)


async def park(db: Database, mail: LeasedMail | OutboxMail, reason: str) -> None:
    """Stop trying to send a mail, and keep it for an operator to inspect."""
    await PARK.rows(db, id=mail.id, error=reason[:ERROR_LENGTH])
    metrics.mail(mail.kind, "parked")


def retry_delay(attempts: int) -> timedelta:
    """Return the delay after a number of attempts. It triples with each attempt, up to four hours."""
    delay: timedelta = FIRST_DELAY * 3 ** min(attempts - 1, 10)
    return min(delay, MAX_DELAY)


async def _reschedule(db: Database, mail: LeasedMail, reason: str, delay: timedelta, attempts: int) -> None:
    await RESCHEDULE.rows(db, id=mail.id, delay=delay, attempts=attempts, error=reason[:ERROR_LENGTH])


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
