"""Users of a file, validated. Most lines are plain: their values are in ASCII and in their normal form.

These take a fraction of the schema's time, and have its result. All others are left to the schema.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, NamedTuple, Required, TypedDict

from asyncpg.pgproto.pgproto import UUID
from pydantic import ConfigDict, Field, StrictBool, StringConstraints, TypeAdapter, with_config
from uuid_utils import uuid7

from accounts.domain.identity.stored_hashes import to_stored_hash
from accounts.schemas.email_addresses import is_ordinary
from accounts.schemas.user_files import HASH_LENGTH, GroupLine, UserLine

# Longer emails are left to the schema, so none of their parts can be too long.
_EMAIL = r"^[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+[a-z]{2,}$"
_NAME = r"^(?:[!-~](?:[ -~]{0,98}[!-~])?)?$"
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z$"


class NewUser(NamedTuple):
    """A valid user of a file: first the ``COLUMNS`` to store, then what else the file says."""

    id: uuid.UUID
    email: str
    display_name: str
    hashed_password: str
    is_active: bool
    is_verified: bool
    created_at: datetime
    is_superuser: bool  # never: no import creates superusers
    line: int
    has_given_id: bool
    groups: list[GroupLine]


COLUMNS = NewUser._fields[:8]


@with_config(ConfigDict(extra="forbid"))
class _Plain(TypedDict, total=False):
    email: Required[Annotated[str, StringConstraints(max_length=64, pattern=_EMAIL)]]
    display_name: Annotated[str, StringConstraints(pattern=_NAME)]
    hashed_password: Annotated[str, StringConstraints(max_length=HASH_LENGTH)] | None
    is_verified: StrictBool
    is_active: StrictBool
    created_at: Annotated[str, StringConstraints(pattern=_TIME)] | None
    id: uuid.UUID | None
    groups: Annotated[list[Any], Field(max_length=0)]


_validate_plain = TypeAdapter(_Plain).validator.validate_json


def new_user(line: int, record: bytes | dict[str, Any], now: datetime) -> NewUser:
    """Validate a user, which is JSON or an object that was parsed from another format.

    Raises:
        ValidationError: it does not match ``UserLine``.
        UnusableHash: the password hash cannot be imported.

    """
    if isinstance(record, dict):
        return _to_new_user(line, UserLine.model_validate(record), now)
    return plain_user(line, record, now) or _to_new_user(line, UserLine.model_validate_json(record), now)


def plain_user(line: int, record: bytes, now: datetime) -> NewUser | None:
    """Validate a plain line; return None for another one, which may be valid as well."""
    try:
        values = _validate_plain(record)
        get = values.get
        created_at = datetime.fromisoformat(given) if (given := get("created_at")) else now
    except ValueError:  # ValidationError is one
        return None
    email, given_id = values["email"], get("id")
    if created_at > now or not is_ordinary(email):
        return None
    stored = to_stored_hash(get("hashed_password"))
    flags = get("is_active", True), get("is_verified", False)
    row = (given_id or _new_id(), email, get("display_name", ""), stored, *flags, created_at, False)
    return NewUser._make((*row, line, given_id is not None, ()))


def _to_new_user(line: int, user: UserLine, now: datetime) -> NewUser:
    stored = to_stored_hash(user.hashed_password)
    row = (user.email, user.display_name, stored, user.is_active, user.is_verified, user.created_at or now, False)
    return NewUser(user.id or _new_id(), *row, line, user.id is not None, user.groups)


def _new_id() -> uuid.UUID:
    new_id: uuid.UUID = UUID(uuid7().bytes)  # in a fifth of the time of the standard library's class, and equal to it
    return new_id


def copy_text(users: Iterable[NewUser]) -> bytes:
    """Return the ``COLUMNS`` of users in the text format of PostgreSQL's COPY.

    It is faster to write than asyncpg's records are to encode, and a thread can write it.
    """
    return "".join(
        f"{user.id}\t{user.email}\t{user.display_name}\t{user.hashed_password}\t{user.is_active}\t{user.is_verified}"
        f"\t{user.created_at}\t{user.is_superuser}\n"
        for user in map(_escaped, users)
    ).encode()


def _escaped(user: NewUser) -> NewUser:
    texts = user.email, user.display_name, user.hashed_password
    if not any("\\" in text for text in texts):  # valid texts have no tabs or line breaks
        return user
    email, name, stored = (text.replace("\\", "\\\\") for text in texts)
    return user._replace(email=email, display_name=name, hashed_password=stored)
