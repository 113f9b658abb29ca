"""Looking users up: each list follows an index, and so costs the same at a million users."""

import uuid
from typing import Any

from sqlalchemy import ColumnElement, func, literal, tuple_
from sqlmodel import and_, col, select

from accounts.database import Session
from accounts.domain.pages import page_of
from accounts.models import User
from accounts.models.user import folded
from accounts.schemas.page import Page
from accounts.schemas.user import UserQuery

LAST = "\U0010ffff"  # behind every other character


async def search(session: Session, query: UserQuery) -> Page[User]:
    """List the users whom ``query`` asks for: by address or by name where one is looked for, else the oldest first.

    Raises:
        BadCursor: the cursor is none of this list's.

    """
    email, name = func.lower(User.email), func.lower(User.display_name)
    statement = select(User).where(*_begins(email, query.email), *_begins(name, query.name), *_flags(query))
    if query.email:
        return await page_of(
            session, statement.order_by(email), query, key=email, parse=folded, key_of=lambda user: user.email
        )
    if query.name:
        return await page_of(
            session,
            statement.order_by(name, col(User.id)),
            query,
            key=tuple_(name, col(User.id)),
            parse=_parse,
            key_of=lambda user: f"{user.id} {user.display_name}",
        )
    by_id = statement.order_by(col(User.id))
    return await page_of(session, by_id, query, key=col(User.id), parse=uuid.UUID, key_of=lambda user: str(user.id))


def _begins(key: ColumnElement[str], prefix: str | None) -> tuple[ColumnElement[bool], ...]:
    # A range, which any plan can take from the index; of LIKE only one for this very prefix can.
    return (and_(key >= folded(prefix), key < folded(prefix + LAST)),) if prefix else ()


def _flags(query: UserQuery) -> list[ColumnElement[bool]]:
    wanted = query.model_dump(include={"is_active", "is_superuser", "is_verified"}, exclude_none=True)
    flags: list[tuple[ColumnElement[bool], bool]] = [(getattr(User, name), value) for name, value in wanted.items()]
    return [flag if value else ~flag for flag, value in flags]


def _parse(text: str) -> Any:
    user_id, _, name = text.partition(" ")
    return tuple_(folded(name), literal(uuid.UUID(user_id)))
