"""Types of text fields, so that every field normalises and validates text in the same way."""

import unicodedata
from typing import Annotated

from email_validator import EmailNotValidError
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from accounts.models.access_keys import KEY_NAME_LENGTH
from accounts.models.groups import DESCRIPTION_LENGTH, GROUP_NAME_LENGTH
from accounts.models.identity import DISPLAY_NAME_LENGTH, EMAIL_LENGTH, LANGUAGE_LENGTH
from accounts.models.invitations import NOTE_LENGTH
from accounts.schemas.email_addresses import parse_email
from accounts.schemas.invisible_text import VISIBLE, strip_invisible
from accounts.settings import get_settings
from accounts.translations import available_languages

PASSWORD_MAX_LENGTH = 128  # at least 64 by NIST SP 800-63B-4; hashing unbounded input would allow denial of service

MAX_RAW_LENGTH = 4 * max(DESCRIPTION_LENGTH, NOTE_LENGTH)  # of text that is normalised, before it is
MAX_COMBINING_MARKS = 30

# No control characters: PostgreSQL refuses NUL, and others forge lines in logs and mail headers.
_LINE = r"^[^\x00-\x1f\x7f-\x9f]*$"
_LINES = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$"


def _to_nfc(value: object) -> object:
    """Normalise text before its length is checked, so that texts that look equal are equal."""
    return unicodedata.normalize("NFC", _bounded(value)) if isinstance(value, str) else value


def _to_nfkc(value: object) -> object:
    """Normalise an email, which people often paste with invisible characters around it."""
    return strip_invisible(unicodedata.normalize("NFKC", _bounded(value))) if isinstance(value, str) else value


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
        parsed = parse_email(value, special_use=get_settings().email_special_use_domains)
    except EmailNotValidError:
        raise PydanticCustomError("email", "Input should be an email address") from None
    return f"{parsed.local_part}@{parsed.domain}"


def _username(value: str) -> str:
    try:
        return _email(value)
    except PydanticCustomError:
        return value  # refused like any unknown email


def _language(value: str) -> str:
    """Return an available language by its tag, in any letter case (RFC 5646, 2.1.1)."""
    tags = {tag.lower(): tag for tag in available_languages()}
    if value.lower() not in tags:
        languages = " or ".join(sorted(tags.values()))
        raise PydanticCustomError("language", "Input should be {languages}", {"languages": languages})
    return tags[value.lower()]


NFC = BeforeValidator(_to_nfc)
NFKC = BeforeValidator(_to_nfkc)
_SingleLine = Annotated[str, StringConstraints(strip_whitespace=True, pattern=_LINE)]
_MultiLine = Annotated[str, StringConstraints(strip_whitespace=True, pattern=_LINES)]

Email = Annotated[
    _SingleLine,
    StringConstraints(max_length=EMAIL_LENGTH),
    AfterValidator(_email),
    NFKC,
    Field(json_schema_extra={"format": "idn-email"}, examples=["king.arthur@camelot.example.com"]),
]
# What users enter to sign in. Text that is no email is refused like an unknown one.
Username = Annotated[
    str,
    StringConstraints(min_length=1, max_length=EMAIL_LENGTH, pattern=r"^[^\x00]*$"),
    AfterValidator(_username),
    NFKC,
]
DisplayName = Annotated[
    _SingleLine, StringConstraints(max_length=DISPLAY_NAME_LENGTH), VISIBLE, NFC, Field(examples=["Arthur Pendragon"])
]
LanguageTag = Annotated[
    str, StringConstraints(max_length=LANGUAGE_LENGTH), AfterValidator(_language), Field(examples=["de"])
]
ServiceAccountName = Annotated[
    _SingleLine,
    StringConstraints(min_length=1, max_length=DISPLAY_NAME_LENGTH),
    VISIBLE,
    NFC,
    Field(examples=["Roster sync"]),
]
KeyName = Annotated[
    _SingleLine,
    StringConstraints(min_length=1, max_length=KEY_NAME_LENGTH),
    VISIBLE,
    NFC,
    Field(examples=["nightly report"]),
]
# The beginning of an email or a name, in searches.
Prefix = Annotated[_SingleLine, StringConstraints(min_length=1, max_length=DISPLAY_NAME_LENGTH), VISIBLE]
GroupName = Annotated[
    _SingleLine,
    StringConstraints(min_length=1, max_length=GROUP_NAME_LENGTH),
    VISIBLE,
    NFC,
    Field(examples=["Round Table"]),
]
Description = Annotated[
    _MultiLine,
    StringConstraints(max_length=DESCRIPTION_LENGTH),
    VISIBLE,
    NFC,
    Field(examples=["Knights of the Round Table"]),
]
Note = Annotated[
    _MultiLine,
    StringConstraints(max_length=NOTE_LENGTH),
    VISIBLE,
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
GroupIdNumber = Annotated[int, Field(ge=1, le=2**63 - 1, examples=[1])]
# A token or cursor, which is opaque to clients.
OpaqueToken = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[\x21-\x7e]+$")]
