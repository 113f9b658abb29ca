"""Validation of plain lines, which most are, several times as fast as by the schema, and with its result.

Plain is a line whose values are in ASCII and in their normal form. All others are left to the schema.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Required, TypedDict
from uuid import UUID

from pydantic import ConfigDict, Field, StrictBool, StringConstraints, TypeAdapter, with_config

from accounts.schemas.email_addresses import is_ordinary
from accounts.schemas.user_files import HASH_LENGTH, UserLine

# Longer emails are left to the schema, so none of their parts can be too long.
_EMAIL = r"^[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+[a-z]{2,}$"
_NAME = r"^(?:[!-~](?:[ -~]{0,98}[!-~])?)?$"
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z$"


@with_config(ConfigDict(extra="forbid"))
class _Plain(TypedDict, total=False):
    email: Required[Annotated[str, StringConstraints(max_length=64, pattern=_EMAIL)]]
    display_name: Annotated[str, StringConstraints(pattern=_NAME)]
    hashed_password: Annotated[str, StringConstraints(max_length=HASH_LENGTH)] | None
    is_verified: StrictBool
    is_active: StrictBool
    created_at: Annotated[str, StringConstraints(pattern=_TIME)] | None
    id: UUID | None
    groups: Annotated[list[Any], Field(max_length=0)]


_validate = TypeAdapter(_Plain).validator.validate_json
DEFAULTS = {name: field.get_default(call_default_factory=True) for name, field in UserLine.model_fields.items()}


def parse_plain(line: bytes) -> dict[str, Any] | None:
    """Return the values of a plain line, or None for another one, which may be valid as well."""
    try:
        values = _validate(line)
        if created_at := values.get("created_at"):
            values["created_at"] = datetime.fromisoformat(created_at)
            if values["created_at"] > datetime.now(UTC):
                return None
    except ValueError:  # ValidationError is one
        return None
    return DEFAULTS | values if is_ordinary(values["email"]) else None
