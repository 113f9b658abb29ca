"""The mail to one user or address that is still in the queue, for superusers: it waits, or was parked.

Mail that the SMTP server accepted is deleted.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func
from sqlmodel import col, select

from accounts.db.session import Session
from accounts.models import OutboxMail, User
from accounts.models.base import folded

MAILS_SHOWN = 20
MAILS_TO_ADDRESS_SHOWN = 50


async def list_mails_to(db: Session, user: User) -> Sequence[OutboxMail]:
    """List the newest mails to a user."""
    return await _newest(db, col(OutboxMail.user_id) == user.id, MAILS_SHOWN)


async def list_mails_to_address(db: Session, email: str) -> Sequence[OutboxMail]:
    """List the newest mails to an email address, in any letter case."""
    return await _newest(db, func.lower(OutboxMail.email) == folded(email), MAILS_TO_ADDRESS_SHOWN)


async def _newest(db: Session, condition: ColumnElement[bool], limit: int) -> Sequence[OutboxMail]:
    statement = select(OutboxMail).where(condition).order_by(col(OutboxMail.id).desc())
    return (await db.exec(statement.limit(limit))).all()
