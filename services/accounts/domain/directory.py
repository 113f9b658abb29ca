"""Looking users up: each list follows an index, and so costs the same at a million users."""

import uuid
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, func
from sqlmodel import and_, col, select

from accounts.database import Session
from accounts.domain.pages import Keyset
from accounts.models import User
from accounts.models.user import folded
from accounts.schemas.page import Page
from accounts.schemas.user import UserQuery

LAST = "\U0010ffff"  # behind every other character


def by_name(text: str) -> tuple[Any, ...]:
    """Make a key of a user's id and a name, which other users may have."""
    user_id, _, name = text.partition(" ")
    return name, uuid.UUID(user_id)


def by_email(text: str) -> tuple[Any, ...]:
    """Make a key of an address, which other lists' cursors never are."""
    if "@" not in text or " " in text:
        raise ValueError(text)
    return (text,)


BY_ID = Keyset((col(User.id),), text=lambda user: str(user.id), parse=lambda text: (uuid.UUID(text),))
BY_EMAIL = Keyset((func.lower(User.email),), text=lambda user: user.email, parse=by_email)
BY_NAME = Keyset(
    (func.lower(User.display_name), col(User.id)), text=lambda user: f"{user.id} {user.display_name}", parse=by_name
)


async def search(session: Session, query: UserQuery) -> Page[User]:
    """List the users whom ``query`` asks for: by address or by name where one is looked for, else the oldest first.

    Raises:
        BadCursor: the cursor is none of this list's.

    """
    statement = select(User).where(*begins(User.email, query.email), *begins(User.display_name, query.name))
    order = BY_EMAIL if query.email else BY_NAME if query.name else BY_ID
    return await order.page(session, statement.where(*_flags(query)), query)


def begins(column: Any, prefix: str | None) -> tuple[ColumnElement[bool], ...]:
    """Narrow to texts that begin with a prefix, whatever the letter case; to nothing narrower without one."""
    return (between(column, prefix, prefix + LAST),) if prefix else ()


def between(column: Any, first: str | BindParameter[str], last: str | BindParameter[str]) -> ColumnElement[bool]:
    """Narrow to a range of texts, which any plan can take from the index; of LIKE only one for this very prefix can."""
    key = func.lower(column)
    return and_(key >= folded(first), key < folded(last))


def _flags(query: UserQuery) -> list[ColumnElement[bool]]:
    wanted = query.model_dump(include={"is_active", "is_superuser", "is_verified"}, exclude_none=True)
    flags: list[tuple[ColumnElement[bool], bool]] = [(getattr(User, name), value) for name, value in wanted.items()]
    return [flag if value else ~flag for flag, value in flags]
