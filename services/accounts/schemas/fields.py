"""Types of text fields, so that every field normalises and validates text in the same way."""

import unicodedata
from functools import lru_cache
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from accounts.models.groups import DESCRIPTION_LENGTH, GROUP_NAME_LENGTH
from accounts.models.identity import DISPLAY_NAME_LENGTH, EMAIL_LENGTH
from accounts.models.invitations import NOTE_LENGTH

PASSWORD_MAX_LENGTH = 128  # at least 64 by NIST SP 800-63B-4; hashing unbounded input would allow denial of service

MAX_RAW_LENGTH = 4 * max(DESCRIPTION_LENGTH, NOTE_LENGTH)  # of text that is normalised, before it is
MAX_COMBINING_MARKS = 30
ASCII_DOMAIN = "a.org"  # shorter than any international domain
EMAIL_BYTES = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets

# No control characters: PostgreSQL refuses NUL, and others forge lines in logs and mail headers.
_LINE = r"^[^\x00-\x1f\x7f-\x9f]*$"
_LINES = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$"


def _to_nfc(value: object) -> object:
    """Normalise text before its length is checked, so that texts that look equal are equal."""
    return unicodedata.normalize("NFC", _bounded(value)) if isinstance(value, str) else value


def _to_nfkc(value: object) -> object:
    return unicodedata.normalize("NFKC", _bounded(value)).strip() if isinstance(value, str) else value


def _bounded(text: str) -> str:
    """Refuse text that takes long to normalise, which is quadratic in combining marks that follow one another.

    No more than 30 do in the Stream-Safe Text Format (UAX #15), and a character decomposes into four at most (NFC).
    """
    if len(text) > MAX_RAW_LENGTH:
        raise PydanticCustomError("string_too_long", "String is too long")
    marks = 0
    for character in () if text.isascii() else text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks > MAX_COMBINING_MARKS:
            raise PydanticCustomError("combining_marks", "String has too many combining marks in a row")
    return text


def _email(value: str) -> str:
    """Validate and normalise an email to the form that is stored, shown and looked up.

    The local part is in NFKC and keeps its case, which the database ignores. The domain is in lower case and in
    Unicode, as people read it and SMTPUTF8 (RFC 6531) sends it; its A-label can be derived.
    """
    try:
        return _normalized_email(value)
    except EmailNotValidError:
        raise PydanticCustomError("email", "Input should be an email address") from None


def _normalized_email(value: str) -> str:
    """Validate an email. One with an international domain is validated in two parts, the domain once for many emails.

    A domain of many labels takes milliseconds, and a file may have the same one in thousands of rows.
    """
    local, _, domain = value.rpartition("@")
    if domain.isascii() and "xn--" not in domain.lower():
        return validate_email(value, check_deliverability=False).normalized
    ascii_domain, unicode_domain = _international_domain(domain)
    local_part = validate_email(f"{local}@{ASCII_DOMAIN}", check_deliverability=False).local_part
    email = f"{local_part}@{unicode_domain}"
    if max(len(form.encode()) for form in (value, email, f"{local_part}@{ascii_domain}")) > EMAIL_BYTES:
        raise EmailNotValidError
    return email


@lru_cache(maxsize=256)
def _international_domain(domain: str) -> tuple[str, str]:
    """Validate a domain, and return it in ASCII and in Unicode."""
    parsed = validate_email(f"a@{domain}", check_deliverability=False)
    return parsed.ascii_domain, parsed.domain


def _username(value: str) -> str:
    try:
        return _email(value)
    except PydanticCustomError:
        return value  # refused like any unknown email


NFC = BeforeValidator(_to_nfc)
NFKC = BeforeValidator(_to_nfkc)
_SingleLine = Annotated[str, StringConstraints(strip_whitespace=True, pattern=_LINE)]
_MultiLine = Annotated[str, StringConstraints(strip_whitespace=True, pattern=_LINES)]

Email = Annotated[
    _SingleLine,
    StringConstraints(max_length=EMAIL_LENGTH),
    AfterValidator(_email),
    NFKC,
    Field(json_schema_extra={"format": "email"}, examples=["king.arthur@camelot.example.com"]),
]
# What users enter to sign in. Text that is no email is refused like an unknown one.
Username = Annotated[
    str,
    StringConstraints(min_length=1, max_length=EMAIL_LENGTH, pattern=r"^[^\x00]*$"),
    AfterValidator(_username),
    NFKC,
]
DisplayName = Annotated[
    _SingleLine, StringConstraints(max_length=DISPLAY_NAME_LENGTH), NFC, Field(examples=["Arthur Pendragon"])
]
# The beginning of an email or a name, in searches.
Prefix = Annotated[_SingleLine, StringConstraints(min_length=1, max_length=DISPLAY_NAME_LENGTH)]
GroupName = Annotated[
    _SingleLine, StringConstraints(min_length=1, max_length=GROUP_NAME_LENGTH), NFC, Field(examples=["Round Table"])
]
Description = Annotated[
    _MultiLine, StringConstraints(max_length=DESCRIPTION_LENGTH), NFC, Field(examples=["Knights of the Round Table"])
]
Note = Annotated[
    _MultiLine,
    StringConstraints(max_length=NOTE_LENGTH),
    NFC,
    Field(description="A message to the invited person.", examples=["There is a seat left."]),
]
# In NFC and not stripped, by RFC 8265 (OpaqueString). The domain checks the minimum length.
Password = Annotated[
    str,
    StringConstraints(min_length=1, max_length=PASSWORD_MAX_LENGTH),
    NFC,
    Field(json_schema_extra={"format": "password"}, examples=["guinevere-and-lancelot"]),
]
# A token or cursor, which is opaque to clients.
OpaqueToken = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[\x21-\x7e]+$")]
