"""The text that people may send: one type for all of it, so that every field refuses the same things."""

import unicodedata
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from accounts.models.groups import DESCRIPTION_LENGTH, GROUP_NAME_LENGTH
from accounts.models.identity import DISPLAY_NAME_LENGTH, EMAIL_LENGTH
from accounts.models.invitations import NOTE_LENGTH

PASSWORD_MAX_LENGTH = 128  # NIST SP 800-63B-4 asks for at least 64; without a bound, hashing would be an attack

# No control characters: PostgreSQL refuses NUL, and the others forge lines in logs and mails.
_LINE = r"^[^\x00-\x1f\x7f-\x9f]*$"
_LINES = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$"


def _normalise(value: object) -> object:
    """Bring text into Unicode's form C, before its length is counted, so that equal-looking texts are equal."""
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def _unify(value: object) -> object:
    return unicodedata.normalize("NFKC", value).strip() if isinstance(value, str) else value


def _email(value: str) -> str:
    """Write an address in the one way in which it is stored, shown and looked up.

    The local part is in form NFKC, and its letter case is kept (the database ignores it). The domain is in lower case
    and in Unicode, the form that people read and that SMTPUTF8 (RFC 6531) sends; its A-label can always be derived.
    """
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError:
        raise PydanticCustomError("email", "Input should be an e-mail address") from None


def _username(value: str) -> str:
    try:
        return _email(value)
    except PydanticCustomError:
        return value  # nobody's, and so a wrong one like any other


NFC = BeforeValidator(_normalise)
NFKC = BeforeValidator(_unify)
_SingleLine = Annotated[str, StringConstraints(strip_whitespace=True, pattern=_LINE)]
_MultiLine = Annotated[str, StringConstraints(strip_whitespace=True, pattern=_LINES)]

Email = Annotated[
    _SingleLine,
    StringConstraints(max_length=EMAIL_LENGTH),
    AfterValidator(_email),
    NFKC,
    Field(json_schema_extra={"format": "email"}, examples=["king.arthur@camelot.example.com"]),
]
# What somebody signs in with: an address, or whatever was taken for one.
Username = Annotated[
    str,
    StringConstraints(min_length=1, max_length=EMAIL_LENGTH, pattern=r"^[^\x00]*$"),
    AfterValidator(_username),
    NFKC,
]
DisplayName = Annotated[
    _SingleLine, StringConstraints(max_length=DISPLAY_NAME_LENGTH), NFC, Field(examples=["Arthur Pendragon"])
]
# How an address or a name begins that is looked for.
Prefix = Annotated[_SingleLine, StringConstraints(min_length=1, max_length=DISPLAY_NAME_LENGTH)]
GroupName = Annotated[
    _SingleLine, StringConstraints(min_length=1, max_length=GROUP_NAME_LENGTH), NFC, Field(examples=["Round Table"])
]
Description = Annotated[
    _MultiLine, StringConstraints(max_length=DESCRIPTION_LENGTH), NFC, Field(examples=["Knights of the Round Table"])
]
Note = Annotated[_MultiLine, StringConstraints(max_length=NOTE_LENGTH), NFC, Field(examples=["There is a seat left."])]
# RFC 8265 (OpaqueString) asks for form C and for nothing to be stripped. How short is too short is the domain's to say.
Password = Annotated[
    str,
    StringConstraints(min_length=1, max_length=PASSWORD_MAX_LENGTH),
    NFC,
    Field(json_schema_extra={"format": "password"}, examples=["guinevere-and-lancelot"]),
]
# What is opaque to whoever sends it: a token, a cursor.
OpaqueToken = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[\x21-\x7e]+$")]
