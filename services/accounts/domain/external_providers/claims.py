"""What a provider says about a user, in the form in which accounts have it."""

import unicodedata
from typing import Any

from pydantic import TypeAdapter, ValidationError

from accounts.models.identity import DISPLAY_NAME_LENGTH
from accounts.schemas.fields import DisplayName, Email
from accounts.schemas.invisible_text import strip_invisible

_EMAIL: TypeAdapter[str] = TypeAdapter(Email)
_NAME: TypeAdapter[str] = TypeAdapter(DisplayName)


def email_of(value: Any) -> str | None:
    """Return an email address as our accounts have it; None if it is none.

    An address that another one is normalised to (NFKC) is none: the provider has verified the one that it wrote, and
    the other may have another owner.
    """
    if not isinstance(value, str) or not unicodedata.is_normalized("NFKC", value) or strip_invisible(value) != value:
        return None
    try:
        return _EMAIL.validate_python(value)
    except ValidationError:
        return None


def is_true(value: Any) -> bool:
    """Return whether a claim is true. Amazon Cognito and Apple write ``"true"``, as text."""
    return value is True or value == "true"


def name_of(value: Any) -> str:
    """Return a display name, shortened where it is too long; empty if it is none."""
    try:
        return _NAME.validate_python(value[:DISPLAY_NAME_LENGTH] if isinstance(value, str) else value)
    except ValidationError:
        return ""
