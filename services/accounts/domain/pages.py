"""Keyset pages: a cursor is the key of the row beside a page, so that the last page costs what the first one does."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import tuple_
from sqlalchemy.sql.elements import ColumnElement, SQLCoreOperations

from accounts.database import Session
from accounts.domain.errors import BadCursor
from accounts.schemas.page import Page, PageQuery

AFTER, BEFORE = ">", "<"


@dataclass(frozen=True, slots=True)
class Keyset:
    """The order of a list, by ``columns`` that together are unique.

    ``text`` writes a row's key, and ``parse`` makes of that text the values of the columns.
    """

    columns: tuple[SQLCoreOperations[Any], ...]
    text: Callable[[Any], str]
    parse: Callable[[str], tuple[Any, ...]]
    descending: bool = False

    async def page(self, session: Session, statement: Any, query: PageQuery) -> Page[Any]:
        """Run a statement for the page that is asked for.

        Raises:
            BadCursor: the cursor is none that this list has made.

        """
        found = (await session.exec(self.window(statement, query))).all()
        return self._page(found, query)

    def window(self, statement: Any, query: PageQuery) -> Any:
        """Narrow a statement to the page that is asked for, in the page's direction, and one row more.

        Raises:
            BadCursor: the cursor is none that this list has made.

        """
        side, key = _decode(query.cursor)
        falling = self.descending is not (side == BEFORE)
        if key:
            last = self._parse(key)
            mine = tuple_(*self.columns) if len(self.columns) > 1 else self.columns[0]
            statement = statement.where(mine < last if falling else mine > last)
        # Row values are compared column by column, so that all of them go the same way.
        order = [column.desc() if falling else column.asc() for column in self.columns]
        return statement.order_by(None).order_by(*order).limit(query.limit + 1)

    def _parse(self, key: str) -> ColumnElement[Any] | Any:
        try:
            values = self.parse(key)
        except (ValueError, OverflowError):
            raise BadCursor from None
        return tuple_(*values) if len(values) > 1 else values[0]

    def _page(self, found: Sequence[Any], query: PageQuery) -> Page[Any]:
        side, key = _decode(query.cursor)
        more, rows = len(found) > query.limit, found[: query.limit]
        if side == BEFORE:
            rows = rows[::-1]
        before, after = (more, bool(key)) if side == BEFORE else (bool(key), more)
        return Page(
            rows,
            next=_encode(AFTER, self.text(rows[-1])) if rows and after else None,
            # Where no row is left, the end of the list is before the page.
            prev=_encode(BEFORE, self.text(rows[0]) if rows else "") if before else None,
            last=_encode(BEFORE, ""),
        )


def identity(text: str) -> int:
    """Read the key of a row that the database numbers.

    Raises:
        ValueError: it numbers none so.

    """
    if not 0 < int(text) < 2**63:
        raise ValueError(text)
    return int(text)


def _encode(side: str, key: str) -> str:
    return urlsafe_b64encode(f"{side}{key}".encode()).rstrip(b"=").decode()


def _decode(cursor: str | None) -> tuple[str, str]:
    if cursor is None:
        return AFTER, ""
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        raise BadCursor from None
    if text[:1] not in {AFTER, BEFORE} or text == AFTER or "\0" in text:
        raise BadCursor
    return text[0], text[1:]
