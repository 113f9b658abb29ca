"""The mail to one user that is still in the queue, for superusers: it waits, or was parked."""

from collections.abc import Sequence

from sqlmodel import col, select

from accounts.db.session import Session
from accounts.models import OutboxMail, User

MAILS_SHOWN = 20


async def list_mails_to(db: Session, user: User) -> Sequence[OutboxMail]:
    """List the newest mails to a user that were not sent yet. Mail that the SMTP server accepted is deleted."""
    newest = select(OutboxMail).where(col(OutboxMail.user_id) == user.id).order_by(col(OutboxMail.id).desc())
    return (await db.exec(newest.limit(MAILS_SHOWN))).all()
