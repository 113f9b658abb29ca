"""Keyset pages: a cursor is the key of the last row that was shown, so that every page costs the same."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from enum import Enum
from typing import Any

from sqlalchemy.sql.elements import SQLCoreOperations

from accounts.database import Session
from accounts.domain.errors import BadCursor
from accounts.schemas.page import Page, PageQuery


class Order(Enum):
    """Which way a list goes."""

    ASCENDING = "ascending"
    DESCENDING = "descending"


async def page_of(
    session: Session,
    statement: Any,
    query: PageQuery,
    *,
    key: SQLCoreOperations[Any],
    parse: Callable[[str], Any],
    key_of: Callable[[Any], str],
    order: Order = Order.ASCENDING,
) -> Page[Any]:
    """Run a statement that is ordered by a unique ``key``, in this ``order``, from the row behind the cursor on.

    ``key_of`` gives the text of a row's key, which ``parse`` makes a value of ``key`` again.

    Raises:
        BadCursor: the cursor is none that this function made for this key.

    """
    if query.cursor is not None:
        last = _decode(query.cursor, parse)
        statement = statement.where(key > last if order is Order.ASCENDING else key < last)
    rows = (await session.exec(statement.limit(query.limit + 1))).all()
    shown = rows[: query.limit]
    return Page(shown, _encode(key_of(shown[-1])) if len(rows) > query.limit else None)


def _encode(key: str) -> str:
    return urlsafe_b64encode(key.encode()).rstrip(b"=").decode()


def _decode(cursor: str, parse: Callable[[str], Any]) -> Any:
    try:
        key = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        if "\0" in key:
            raise BadCursor
        return parse(key)
    except ValueError:
        raise BadCursor from None
