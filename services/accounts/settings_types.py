"""Types of settings, which parse and validate the text of a variable."""

import re
from email import policy
from enum import StrEnum
from typing import Annotated, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import AfterValidator, Field, SecretStr

from accounts.database_url import DatabaseUrl

PEM = re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)(.*?)(-----END [A-Z ]*PRIVATE KEY-----)", re.DOTALL)
COLOUR = re.compile(r"#?([0-9a-f]{3}|[0-9a-f]{6})")
LINE_BREAK = re.compile(r"\s|\\n")


class Environment(StrEnum):
    """The environment that the process runs in; everything but development is treated as production."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class SignUp(StrEnum):
    """Who may create an account."""

    VERIFIED = "verified"  # anyone who reads the mail that is sent to the address, and then chooses a password
    OPEN = "open"  # anyone at once, as FastAPI Users does it
    INVITED = "invited"  # anyone with an invitation
    CLOSED = "closed"  # superusers only, for others


class LimitGroup(StrEnum):
    """The groups of rate limits, each with a factor of its own."""

    SIGN_IN = "sign_in"
    GUESSES = "guesses"
    SIGN_UP = "sign_up"
    MAIL = "mail"
    REQUESTS = "requests"


def split_keys(text: str) -> list[str]:
    """Return the keys in ``text``, which commas separate."""
    return [part.strip() for part in text.split(",")]


def pem_keys(text: str) -> list[bytes]:
    """Return the PEM private keys in ``text``. Each may be on one line, also with line breaks as in JSON."""
    return ["\n".join((begin, LINE_BREAK.sub("", key), end)).encode() for begin, key, end in PEM.findall(text)]


def _require_mailbox(value: str) -> str:
    """Require one mailbox (RFC 5322, 3.4), in ASCII: other addresses need SMTPUTF8 on every server on the way."""
    parsed = policy.default.header_factory("From", value)
    if parsed.defects or [group.display_name for group in parsed.groups] != [None]:
        raise ValueError("must be one mailbox, such as Name <name@example.com>")
    if not parsed.addresses[0].addr_spec.isascii():
        raise ValueError("the address must be ASCII; write an international domain as xn--…")
    return value


def _colour_or_empty(value: str) -> str:
    """Return a colour as ``#rrggbb``. It may lack the ``#``, which begins a comment in shells and in make."""
    if not value.strip():
        return ""
    found = COLOUR.fullmatch(value.strip().lower())
    if found is None:
        raise ValueError("must be a colour in hexadecimal digits, such as 0b57b8")
    digits = found[1]
    return f"#{digits}" if len(digits) == len("rrggbb") else "#" + "".join(2 * each for each in digits)


def _require_database_url(value: SecretStr) -> SecretStr:
    DatabaseUrl.parse(value.get_secret_value())
    return value


def _require_database_url_or_empty(value: SecretStr) -> SecretStr:
    return _require_database_url(value) if value.get_secret_value().strip() else SecretStr("")


def _require_private_keys(value: SecretStr) -> SecretStr:
    text = value.get_secret_value().strip()
    keys = pem_keys(text)
    if not all(map(_signs, keys)) or bool(keys) != bool(text):
        raise ValueError("must contain private keys in PEM (Ed25519, P-256 or RSA), without a password")
    return value


def _signs(pem: bytes) -> bool:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    on_p256 = isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1)
    return on_p256 or isinstance(key, Ed25519PrivateKey | RSAPrivateKey)


Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=1, le=1000)]
Factor = Annotated[float, Field(gt=0, le=1_000_000)]
OptionalColour = Annotated[str, AfterValidator(_colour_or_empty)]
Mailbox = Annotated[str, AfterValidator(_require_mailbox)]
PostgresUrl = Annotated[SecretStr, AfterValidator(_require_database_url)]
OptionalPostgresUrl = Annotated[SecretStr, AfterValidator(_require_database_url_or_empty)]
PrivateKeys = Annotated[SecretStr, AfterValidator(_require_private_keys)]
SmtpSecurity = Literal["none", "starttls", "tls"]
LogLevel = Literal["debug", "info", "warning", "error"]
