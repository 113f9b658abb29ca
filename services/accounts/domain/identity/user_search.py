"""User search. Each order follows an index, so a page costs the same with a million users."""

import uuid

from sqlalchemy import ColumnElement, func
from sqlmodel import col, select

from accounts.db.session import Session
from accounts.db.statements import CUSTOM_PLANS
from accounts.domain.keyset import Keyset, parse_email_cursor, parse_name_cursor
from accounts.domain.prefix_search import starts_with
from accounts.models import User
from accounts.schemas.identity.users import UserQuery
from accounts.schemas.pagination import Page

BY_ID = Keyset((col(User.id),), text=lambda user: str(user.id), parse=lambda text: (uuid.UUID(text),))
BY_EMAIL = Keyset((func.lower(User.email),), text=lambda user: user.email, parse=parse_email_cursor)
BY_NAME = Keyset(
    (func.lower(User.display_name), col(User.id)),
    text=lambda user: f"{user.id} {user.display_name}",
    parse=parse_name_cursor,
)


async def list_users(db: Session, query: UserQuery) -> Page[User]:
    """List users: by email address or name if the query has one, else the oldest first.

    Raises:
        BadCursor: the cursor does not belong to this list.

    """
    statement = select(User).where(*starts_with(User.email, query.email), *starts_with(User.display_name, query.name))
    order = BY_EMAIL if query.email else BY_NAME if query.name else BY_ID
    if query.email or query.name:
        await CUSTOM_PLANS.run(db)
    return await order.page(db, statement.where(*_flags(query)), query)


def _flags(query: UserQuery) -> list[ColumnElement[bool]]:
    values = query.model_dump(include={"is_active", "is_superuser", "is_verified"}, exclude_none=True)
    flags: list[tuple[ColumnElement[bool], bool]] = [(getattr(User, name), value) for name, value in values.items()]
    return [flag if value else ~flag for flag, value in flags]
