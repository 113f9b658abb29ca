"""Reserved email addresses: while a change of email can be undone, no other user can have the previous address.

Otherwise an attacker could change the address of a stolen account, sign up with the previous one, and so prevent the
undo.
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement
from sqlmodel import col, exists, func, select

from accounts.db.session import Session
from accounts.domain import errors
from accounts.models import OneTimeToken, Purpose, User
from accounts.models.base import folded

IS_OPEN_UNDO = (col(OneTimeToken.purpose) == Purpose.UNDO_EMAIL, col(OneTimeToken.expires_at) > func.now())


def email_is_reserved(
    email: str | BindParameter[str], user_id: uuid.UUID | BindParameter[Any] | None = None
) -> ColumnElement[bool]:
    """Return the SQL condition that an email address is reserved for a user other than ``user_id``.

    After a statement that waited for a concurrent change, check it in another statement: only that one sees the change.
    """
    return exists().where(
        func.lower(OneTimeToken.email) == folded(email),
        col(OneTimeToken.user_id).is_distinct_from(user_id),
        *IS_OPEN_UNDO,
    )


async def find_open_undo(db: Session, user: User) -> datetime | None:
    """Return until when another address can undo a change of a user's email address, if one can."""
    until = select(OneTimeToken.expires_at).where(
        col(OneTimeToken.user_id) == user.id, func.lower(OneTimeToken.email) != folded(user.email), *IS_OPEN_UNDO
    )
    return (await db.exec(until)).one_or_none()


async def refuse_open_undo(db: Session, user: User) -> None:
    """Check that no other address can undo a change of a locked user's email address.

    Raises:
        EmailUndoOpen: one can; the error says until when.

    """
    if expires_at := await find_open_undo(db, user):
        raise errors.EmailUndoOpen(expires_at)
