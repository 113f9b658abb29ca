"""Keyset pagination: pages of a list in the order of a unique key, each found by an index.

A cursor is a direction and a key: the page begins after that key (forward) or ends before it (backward). So every page
costs the same, the last one too, and rows that are added or deleted do not shift the pages.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Integer, String, bindparam, literal_column, tuple_
from sqlalchemy.sql.functions import FunctionElement

from accounts.db.session import Session
from accounts.domain.errors import BadCursor
from accounts.models.base import folded
from accounts.schemas.pagination import PAGE_SIZE, Page, PageQuery

FORWARD, BACKWARD = ">", "<"
USUAL_ROWS: Any = literal_column(str(PAGE_SIZE + 1), Integer)


class Position(NamedTuple):
    """The position of a page: after or before a key, or without one, at the beginning or the end of the list.

    ``has_usual_size`` is part of it, because a prepared statement whose LIMIT is a parameter is planned for a tenth of
    the rows. PostgreSQL then finds it cheaper to plan each page of a long list again.
    """

    direction: str
    has_key: bool
    has_usual_size: bool


@dataclass(frozen=True, slots=True)
class Keyset:
    """The order of a list, by ``columns`` that are unique together.

    ``text`` writes a row's key into a cursor. ``parse`` reads it back, as one value for each column, and raises
    ValueError for other texts. Where a column is ``lower(…)``, the key is compared in lower case, too.
    """

    columns: tuple[Any, ...]
    text: Callable[[Any], str]
    parse: Callable[[str], tuple[Any, ...]]
    descending: bool = False

    async def page(self, db: Session, statement: Any, query: PageQuery) -> Page[Any]:
        """Run a statement for the requested page.

        Raises:
            BadCursor: the cursor does not belong to this list.

        """
        window = self.window(statement, requested_position(query))
        rows = (await db.exec(window, params=self.values(query))).all()
        return self.cut(rows, query)

    def window(self, statement: Any, position: Position) -> Any:
        """Restrict a statement to the page at a position, read in its direction, and one more row.

        ``values`` returns the values of its parameters.
        """
        descending = self.descending is not (position.direction == BACKWARD)
        if position.has_key:
            parameters = [_key_parameter(column, f"key_{number}") for number, column in enumerate(self.columns)]
            row, key = _row_value(self.columns), _row_value(parameters)
            statement = statement.where(row < key if descending else row > key)
        # A row value is compared column by column, so all columns sort in one direction.
        order = [column.desc() if descending else column.asc() for column in self.columns]
        rows = USUAL_ROWS if position.has_usual_size else bindparam("rows", type_=Integer)
        return statement.order_by(None).order_by(*order).limit(rows)

    def values(self, query: PageQuery) -> dict[str, Any]:
        """Return the values of the parameters of ``window``.

        Raises:
            BadCursor: the cursor does not belong to this list.

        """
        _, key = _decode(query.cursor)
        try:
            keys = self.parse(key) if key else ()
        except (ValueError, OverflowError):
            raise BadCursor from None
        return {"rows": query.limit + 1} | {f"key_{number}": value for number, value in enumerate(keys)}

    def cut(self, rows: Sequence[Any], query: PageQuery, read: Callable[[Any], Any] = lambda row: row) -> Page[Any]:
        """Return the page of the rows that a ``window`` selected; ``read`` converts a row to what ``text`` takes."""
        direction, key = _decode(query.cursor)
        more, rows = len(rows) > query.limit, rows[: query.limit]
        if direction == BACKWARD:
            rows = rows[::-1]
        before, after = (more, bool(key)) if direction == BACKWARD else (bool(key), more)
        return Page(
            rows,
            next=_encode(FORWARD, self.text(read(rows[-1]))) if rows and after else None,
            # An empty page comes after the end of the list, so the page before it is the last one.
            prev=_encode(BACKWARD, self.text(read(rows[0])) if rows else "") if before else None,
            last=_encode(BACKWARD, ""),
        )


def requested_position(query: PageQuery) -> Position:
    """Return the position of the requested page.

    Raises:
        BadCursor: the cursor is malformed.

    """
    direction, key = _decode(query.cursor)
    return Position(direction, bool(key), query.limit == PAGE_SIZE)


def parse_row_id(text: str) -> int:
    """Parse the key of a row with a generated number.

    Raises:
        ValueError: the text is not a positive ``bigint``.

    """
    if not 0 < int(text) < 2**63:
        raise ValueError(text)
    return int(text)


def _row_value(columns: Sequence[Any]) -> Any:
    return tuple_(*columns) if len(columns) > 1 else columns[0]


def _key_parameter(column: Any, name: str) -> Any:
    if isinstance(column, FunctionElement):
        return folded(bindparam(name, type_=String))
    return bindparam(name, type_=column.type)


def _encode(direction: str, key: str) -> str:
    return urlsafe_b64encode(f"{direction}{key}".encode()).rstrip(b"=").decode()


def _decode(cursor: str | None) -> tuple[str, str]:
    if cursor is None:
        return FORWARD, ""
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        raise BadCursor from None
    if text[:1] not in {FORWARD, BACKWARD} or text == FORWARD or "\0" in text:
        raise BadCursor
    return text[0], text[1:]
