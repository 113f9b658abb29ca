"""Search by the beginning of a text."""

import uuid
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, func
from sqlmodel import and_

from accounts.models.identity import folded

LAST_CHARACTER = "\U0010ffff"  # behind every other character


def parse_name_cursor(text: str) -> tuple[Any, ...]:
    """Make a key of a user's id and a name, which other users may have."""
    user_id, _, name = text.partition(" ")
    return name, uuid.UUID(user_id)


def parse_email_cursor(text: str) -> tuple[Any, ...]:
    """Make a key of an address, which other lists' cursors never are."""
    if "@" not in text or " " in text:
        raise ValueError(text)
    return (text,)


def starts_with(column: Any, prefix: str | None) -> tuple[ColumnElement[bool], ...]:
    """Narrow to texts that begin with a prefix, whatever the letter case; to nothing narrower without one."""
    return (in_range(column, prefix, prefix + LAST_CHARACTER),) if prefix else ()


def in_range(column: Any, first: str | BindParameter[str], last: str | BindParameter[str]) -> ColumnElement[bool]:
    """Narrow to a range of texts, which any plan can take from the index; of LIKE only one for this very prefix can."""
    key = func.lower(column)
    return and_(key >= folded(first), key < folded(last))
