"""Keyset pages: a cursor is the key of the row beside a page, so that the last page costs what the first one does."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Integer, String, bindparam, tuple_
from sqlalchemy.sql.functions import FunctionElement

from accounts.db.session import Session
from accounts.domain.errors import BadCursor
from accounts.models.identity import folded
from accounts.schemas.pagination import Page, PageQuery

AFTER, BEFORE = ">", "<"


class Position(NamedTuple):
    """On which side of a key a page lies; of an end of the list, where there is no key."""

    side: str
    keyed: bool


@dataclass(frozen=True, slots=True)
class Keyset:
    """The order of a list, by ``columns`` that together are unique.

    ``text`` writes a row's key, and ``parse`` makes of that text the values of the columns; where a column folds the
    letter case, so does the comparison.
    """

    columns: tuple[Any, ...]
    text: Callable[[Any], str]
    parse: Callable[[str], tuple[Any, ...]]
    descending: bool = False

    async def page(self, db: Session, statement: Any, query: PageQuery) -> Page[Any]:
        """Run a statement for the page that is asked for.

        Raises:
            BadCursor: the cursor is none that this list has made.

        """
        narrowed = self.window(statement, requested_position(query))
        found = (await db.exec(narrowed, params=self.values(query))).all()
        return self.cut(found, query)

    def window(self, statement: Any, place: Position) -> Any:
        """Narrow a statement to the page at a place, in its direction, and one row more.

        Its parameters are those of ``values``.
        """
        falling = self.descending is not (place.side == BEFORE)
        if place.keyed:
            marks = [_cursor_parameter(column, f"key_{number}") for number, column in enumerate(self.columns)]
            mine, last = (tuple_(*self.columns), tuple_(*marks)) if len(marks) > 1 else (self.columns[0], marks[0])
            statement = statement.where(mine < last if falling else mine > last)
        # Row values are compared column by column, so that all of them go the same way.
        order = [column.desc() if falling else column.asc() for column in self.columns]
        return statement.order_by(None).order_by(*order).limit(bindparam("rows", type_=Integer))

    def values(self, query: PageQuery) -> dict[str, Any]:
        """Give the values of the parameters of ``window``.

        Raises:
            BadCursor: the cursor is none that this list has made.

        """
        _, key = _decode(query.cursor)
        try:
            keys = self.parse(key) if key else ()
        except (ValueError, OverflowError):
            raise BadCursor from None
        return {"rows": query.limit + 1} | {f"key_{number}": value for number, value in enumerate(keys)}

    def cut(self, found: Sequence[Any], query: PageQuery, read: Callable[[Any], Any] = lambda row: row) -> Page[Any]:
        """Make a page of the rows that were found; ``read`` makes of one what ``text`` takes."""
        side, key = _decode(query.cursor)
        more, rows = len(found) > query.limit, found[: query.limit]
        if side == BEFORE:
            rows = rows[::-1]
        before, after = (more, bool(key)) if side == BEFORE else (bool(key), more)
        return Page(
            rows,
            next=_encode(AFTER, self.text(read(rows[-1]))) if rows and after else None,
            # Where no row is left, the end of the list is before the page.
            prev=_encode(BEFORE, self.text(read(rows[0])) if rows else "") if before else None,
            last=_encode(BEFORE, ""),
        )


def requested_position(query: PageQuery) -> Position:
    """Tell where the page lies that is asked for.

    Raises:
        BadCursor: no list has made the cursor.

    """
    side, key = _decode(query.cursor)
    return Position(side, bool(key))


def _cursor_parameter(column: Any, name: str) -> Any:
    if isinstance(column, FunctionElement):
        return folded(bindparam(name, type_=String))
    return bindparam(name, type_=column.type)


def parse_row_id(text: str) -> int:
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
