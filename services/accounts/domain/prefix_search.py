"""Search by prefix, ignoring letter case, by an index on ``lower(column)``."""

from typing import Any

from sqlalchemy import BindParameter, ColumnElement, func
from sqlmodel import and_

from accounts.models.base import folded

LAST_CHARACTER = "\U0010ffff"  # sorts after every other character


def in_range(column: Any, first: str | BindParameter[str], last: str | BindParameter[str]) -> ColumnElement[bool]:
    """Return the condition that ``first <= column < last``.

    PostgreSQL can use the index for a range even in a generic plan, but for LIKE only if it knows the prefix.
    """
    key = func.lower(column)
    return and_(key >= folded(first), key < folded(last))
