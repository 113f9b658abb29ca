"""Users of a file, validated. Most lines are plain: their values are in ASCII and in their normal form.

These take a fraction of the schema's time, and have its result. All others are left to the schema.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Annotated, Any, NamedTuple, Required, TypedDict

from pydantic import ConfigDict, Field, StrictBool, StringConstraints, TypeAdapter, with_config
from uuid_utils import uuid7

from accounts.domain.identity.stored_hashes import to_stored_hash
from accounts.schemas.email_addresses import is_ordinary
from accounts.schemas.user_files import HASH_LENGTH, GroupLine, UserLine
from accounts.translations import available_languages

# Longer emails are left to the schema, so none of their parts can be too long.
_EMAIL = r"^[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+[a-z]{2,}$"
_NAME = r"^(?:[!-~](?:[ -~]{0,98}[!-~])?)?$"
_ID = "^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z$"


class NewUser(NamedTuple):
    """A valid user of a file: first the ``COLUMNS`` to store, as texts that PostgreSQL reads, then what else it says.

    Texts of the file stay texts, which takes a fraction of the time of objects in between.
    """

    id: str
    email: str
    display_name: str
    hashed_password: str
    is_active: str
    is_verified: str
    created_at: str
    is_superuser: str  # never: no import creates superusers
    language: str  # empty is stored as NULL, see ``copy_text``
    line: int
    has_given_id: bool
    groups: Sequence[GroupLine]


COLUMNS = NewUser._fields[:9]
FLAGS = "f", "t"
TRUE = FLAGS[True]
NOW = "now"  # which PostgreSQL reads as the start of the transaction


@with_config(ConfigDict(extra="forbid"))
class _Plain(TypedDict, total=False):
    email: Required[Annotated[str, StringConstraints(max_length=64, pattern=_EMAIL)]]
    display_name: Annotated[str, StringConstraints(pattern=_NAME)]
    language: str | None
    hashed_password: Annotated[str, StringConstraints(max_length=HASH_LENGTH)] | None
    is_verified: StrictBool
    is_active: StrictBool
    created_at: Annotated[str, StringConstraints(pattern=_TIME)] | None
    id: Annotated[str, StringConstraints(pattern=_ID)] | None
    groups: Annotated[list[Any], Field(max_length=0)]


_validate_plain = TypeAdapter(_Plain).validator.validate_json


def new_user(line: int, record: bytes | dict[str, Any], now: datetime) -> NewUser:
    """Validate a user, which is JSON or an object that was parsed from another format.

    Raises:
        ValidationError: it does not match ``UserLine``.
        UnusableHash: the password hash cannot be imported.

    """
    if isinstance(record, dict):
        return _to_new_user(line, UserLine.model_validate(record))
    return plain_user(line, record, now) or _to_new_user(line, UserLine.model_validate_json(record))


def plain_user(line: int, record: bytes, now: datetime) -> NewUser | None:
    """Validate a plain line; return None for another one, which may be valid as well."""
    try:
        get = _validate_plain(record).get
        created_at = get("created_at")
        if created_at and datetime.fromisoformat(created_at) > now:
            return None
    except ValueError:  # ValidationError is one
        return None
    email, given_id, language = get("email", ""), get("id"), get("language")
    if not is_ordinary(email) or (language is not None and language not in available_languages()):
        return None
    row = (  # as NewUser names them
        given_id or str(uuid7()),
        email,
        get("display_name", ""),
        to_stored_hash(get("hashed_password")),
        FLAGS[get("is_active", True)],
        FLAGS[get("is_verified", False)],
        created_at or NOW,
        "f",
        language or "",
        line,
        given_id is not None,
        (),
    )
    return tuple.__new__(NewUser, row)  # in half the time of NewUser(*row)


def _to_new_user(line: int, user: UserLine) -> NewUser:
    stored = to_stored_hash(user.hashed_password)
    flags = FLAGS[user.is_active], FLAGS[user.is_verified]
    row = (user.email, user.display_name, stored, *flags, str(user.created_at or NOW), "f", user.language or "")
    return NewUser(str(user.id or uuid7()), *row, line, user.id is not None, user.groups)


def copy_text(users: Iterable[NewUser]) -> bytes:
    """Return the ``COLUMNS`` of users in the text format of PostgreSQL's COPY.

    It is faster to write than asyncpg's records are to encode, and a thread can write it. Valid texts have no tabs or
    line breaks. The language is the last column, and NULL if it is empty.
    """
    text = "".join(map("{}\n".format, map("\t".join, map(itemgetter(slice(len(COLUMNS))), users))))
    return text.replace("\\", "\\\\").replace("\t\n", "\t\\N\n").encode()
