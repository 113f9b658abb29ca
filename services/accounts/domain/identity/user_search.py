"""User search. Each order follows an index, so a page costs the same with a million users."""

import json
import uuid
from dataclasses import replace
from functools import cache

from sqlalchemy import bindparam, select
from sqlmodel import col

from accounts.db.statements import Database, JsonRows
from accounts.domain.keyset import Keyset, Position, requested_position
from accounts.domain.prefix_search import LAST_CHARACTER, in_range
from accounts.domain.user_orders import BY_EMAIL, BY_NAME
from accounts.models import User
from accounts.schemas.identity.users import UserQuery, UserRead
from accounts.schemas.pagination import Page

OLDEST_FIRST = Keyset((col(User.id),), text=lambda row: str(row["id"]), parse=lambda text: (uuid.UUID(text),))
NEWEST_FIRST = replace(OLDEST_FIRST, descending=True)
Flags = frozenset[tuple[str, bool]]


async def list_users(
    db: Database, query: UserQuery, schema: type[UserRead] = UserRead, unsearched: Keyset = OLDEST_FIRST
) -> Page[str]:
    """List users, as the JSON of a schema: by email address or name if the query has one, else as ``unsearched`` says.

    Raises:
        BadCursor: the cursor does not belong to this list.

    """
    keyset = BY_EMAIL if query.email else BY_NAME if query.name else unsearched
    searched = query.model_dump(include={"email", "name"}, exclude_none=True)
    bounds = {f"{name}_end": f"{text}{LAST_CHARACTER}" for name, text in searched.items()}
    flags = query.model_dump(include={"is_active", "is_superuser", "is_verified"}, exclude_none=True)
    users = _select_users(schema, keyset, requested_position(query), frozenset(searched), frozenset(flags.items()))
    texts = users.texts_of_search if searched else users.texts
    return keyset.cut(await texts(db, **keyset.values(query), **searched, **bounds), query, json.loads)


@cache
def _select_users(
    schema: type[UserRead], keyset: Keyset, position: Position, searched: frozenset[str], flags: Flags
) -> JsonRows:
    statement = select(*[getattr(User, name) for name in schema.model_fields])
    for name, column in (("email", User.email), ("name", User.display_name)):
        if name in searched:
            statement = statement.where(in_range(column, bindparam(name), bindparam(f"{name}_end")))
    for name, value in sorted(flags):
        statement = statement.where(getattr(User, name) if value else ~getattr(User, name))
    return JsonRows(keyset.window(statement, position))
