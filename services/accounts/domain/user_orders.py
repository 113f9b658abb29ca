"""The orders of lists of users: by name, and by email address. The index of each serves searches by prefix, too."""

import uuid

from sqlalchemy import func
from sqlmodel import col

from accounts.domain.keyset import Keyset
from accounts.models import User


def _parse_name_cursor(text: str) -> tuple[str, uuid.UUID]:
    user_id, _, name = text.partition(" ")
    return name, uuid.UUID(user_id)


def _parse_email_cursor(text: str) -> tuple[str]:
    if "@" not in text or " " in text:  # a key of another list
        raise ValueError(text)
    return (text,)


BY_NAME = Keyset(
    (func.lower(User.display_name), col(User.id)),  # names are not unique
    text=lambda row: f"{row['id']} {row['display_name']}",
    parse=_parse_name_cursor,
)
BY_EMAIL = Keyset((func.lower(User.email),), text=lambda row: str(row["email"]), parse=_parse_email_cursor)
