"""The mail queue for administrators: what waits and why, mail to send now, and parked mail to discard.

The worker parks a mail after the last attempt, or when a server refuses it for good.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, func, text, update
from sqlmodel import col, select

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.audit.log import Action, record
from accounts.domain.keyset import Keyset
from accounts.domain.mail.outbox import CHANNEL
from accounts.models import OutboxMail
from accounts.schemas.pagination import Page, PageQuery

COUNTED = 10_000  # of more mails than this, the page says so: counting a long queue would read all of it
RETRIED_AT_ONCE = 10_000
BY_ID = Keyset(
    (col(OutboxMail.id),), text=lambda mail: str(mail.id), parse=lambda key: (uuid.UUID(key),), descending=True
)
IS_PARKED = col(OutboxMail.parked_at).is_not(None)
# Mail that is due later than this is not being sent: the worker's leases are shorter.
SURELY_WAITS = timedelta(minutes=5)
WAITS_FOR_RETRY = (col(OutboxMail.error) != "") & (col(OutboxMail.next_at) > func.now() + SURELY_WAITS)
DUE_AGAIN = {"parked_at": None, "attempts": 0, "next_at": func.now()}


class MailState(StrEnum):
    """What happens to a mail in the queue."""

    DUE = "due"
    SENDING = "sending"
    RETRYING = "retrying"
    POSTPONED = "postponed"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How many mails are due, being sent, to be sent later, and parked: none is counted beyond ``COUNTED``."""

    due: int
    sending: int
    later: int
    parked: int


class ParkedMailManager:
    """Operations on queued mail. Methods run in the caller's transaction."""

    def __init__(self, db: Session) -> None:
        self.db = db

    async def list_parked(self, query: PageQuery) -> Page[OutboxMail]:
        """List parked mail, the newest first.

        Raises:
            BadCursor: the cursor does not belong to this list.

        """
        return await BY_ID.page(self.db, select(OutboxMail).where(IS_PARKED), query)

    async def get(self, mail_id: uuid.UUID) -> OutboxMail:
        """Get a mail in the queue.

        Raises:
            NotFound: it was sent or discarded, or there never was one.

        """
        mail = await self.db.get(OutboxMail, mail_id)
        if mail is None:
            raise errors.NotFound
        return mail

    async def count(self) -> QueueCounts:
        """Count the mails in the queue by their state, the next ones first."""
        queued = (
            select(
                (col(OutboxMail.next_at) <= func.clock_timestamp()).label("is_due"),
                ((col(OutboxMail.attempts) > 0) & (col(OutboxMail.error) == "")).label("is_first_attempt"),
            )
            .where(~IS_PARKED)
            .order_by(col(OutboxMail.turn), col(OutboxMail.id))
            .limit(COUNTED + 1)
            .subquery()
        )
        parked = select(OutboxMail.id).where(IS_PARKED).limit(COUNTED + 1).subquery()
        counts = select(
            func.count().filter(queued.c.is_due),
            func.count().filter(~queued.c.is_due, queued.c.is_first_attempt),
            func.count().filter(~queued.c.is_due, ~queued.c.is_first_attempt),
            select(func.count()).select_from(parked).scalar_subquery(),
        ).select_from(queued)
        return QueueCounts(*(await self.db.exec(counts)).one())

    async def retry(self, mail_id: uuid.UUID) -> bool:
        """Have the worker send a mail now that was parked, or waits for its next attempt. Return whether it was."""
        return await self._retry((col(OutboxMail.id) == mail_id) & (IS_PARKED | WAITS_FOR_RETRY)) > 0

    async def retry_all(self) -> int:
        """Have the worker send parked mail again, the first ten thousand, and return how many."""
        parked = select(OutboxMail.id).where(IS_PARKED).order_by(col(OutboxMail.id)).limit(RETRIED_AT_ONCE)
        return await self._retry(col(OutboxMail.id).in_(parked) & IS_PARKED)

    async def discard(self, mail_id: uuid.UUID) -> bool:
        """Delete a parked mail. Return whether it was still parked."""
        statement = delete(OutboxMail).where(col(OutboxMail.id) == mail_id, IS_PARKED).returning(OutboxMail)
        mail = (await self.db.exec(statement)).scalars().one_or_none()
        if mail:
            await record(self.db, Action.MAIL_DISCARDED, user_id=mail.user_id, kind=mail.kind)
        return mail is not None

    async def _retry(self, condition: Any) -> int:
        # The reason stays: mail that was tried before is not counted again by its recipient.
        statement = update(OutboxMail).where(condition).values(DUE_AGAIN).returning(OutboxMail)
        mails = (await self.db.exec(statement, execution_options={"synchronize_session": False})).scalars().all()
        if mails:
            of_one = {"kind": mails[0].kind} if len(mails) == 1 else {}
            await record(
                self.db,
                Action.MAIL_RETRIED,
                user_id=mails[0].user_id if of_one else None,
                count=len(mails),
                **of_one,
            )
            await (await self.db.connection()).execute(text(f"NOTIFY {CHANNEL}"))
        return len(mails)


def can_be_sent_now(mail: OutboxMail, now: datetime) -> bool:
    """Return whether ``retry`` would send a mail."""
    return bool(mail.parked_at or (mail.error and mail.next_at > now + SURELY_WAITS))


def state_of(mail: OutboxMail, now: datetime) -> MailState:
    """Return what happens to a mail."""
    if mail.parked_at:
        return MailState.PARKED
    if mail.next_at <= now:
        return MailState.DUE
    if mail.error:
        return MailState.RETRYING
    return MailState.SENDING if mail.attempts else MailState.POSTPONED
