"""Validation of email addresses (RFC 5321, RFC 6531), and the form in which they are stored and sent."""

import re
from functools import lru_cache
from typing import NamedTuple

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES

PLAIN_DOMAIN = "a.org"  # shorter than any other
PUBLIC_SUFFIX = ".org"
SPECIAL_USE = tuple(f".{name}" for name in SPECIAL_USE_DOMAIN_NAMES)
SPECIAL_LOCAL_PARTS = frozenset(CASE_INSENSITIVE_MAILBOX_NAMES)  # which the library writes in lower case
EMAIL_BYTES = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets
# Most emails are of this form, which the library returns unchanged, but takes a hundred times as long to.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"(?=[a-z0-9-]{1,63}\.)[a-z0-9]+(?:-[a-z0-9]+)*"
_PLAIN = re.compile(rf"(?=[^@]{{1,64}}@)({_ATOM}(?:\.{_ATOM})*)@((?:{_LABEL}\.)+[a-z]{{2,63}})")


class EmailAddress(NamedTuple):
    """A valid email address. ``domain`` is in Unicode, ``ascii_domain`` has A-labels (RFC 5890)."""

    local_part: str
    domain: str
    ascii_domain: str


def parse_email(value: str, *, special_use: bool) -> EmailAddress:
    """Validate an email address in two parts, and the domain once for many emails.

    A domain of many labels takes milliseconds, and a file may have the same one in thousands of rows.

    Args:
        special_use: whether special-use domains (RFC 6761) and domains without a dot are valid, such as ``.local``.

    Raises:
        EmailNotValidError: it is not valid.

    """
    return _parse_plain(value) or _parse(value, special_use=special_use)


def _parse_plain(value: str) -> EmailAddress | None:
    """Parse an email that is its own normal form, or return None for one that may not be."""
    plain = _PLAIN.fullmatch(value)
    if not plain or len(value) > EMAIL_BYTES or not is_ordinary(value):
        return None
    local_part, domain = plain.groups()
    return EmailAddress(local_part, domain, domain)


def is_ordinary(value: str) -> bool:
    """Return whether neither the local part nor the domain of an email is a name that is treated specially."""
    local, _, domain = value.rpartition("@")
    return local.lower() not in SPECIAL_LOCAL_PARTS and not _is_special_use(domain)


@lru_cache(maxsize=10_000)
def _is_special_use(domain: str) -> bool:
    return f".{domain}".endswith(SPECIAL_USE)


def _parse(value: str, *, special_use: bool) -> EmailAddress:
    local, _, domain = value.rpartition("@")
    unicode_domain, ascii_domain = _parse_domain(domain, special_use=special_use)
    local_part = validate_email(f"{local}@{PLAIN_DOMAIN}", check_deliverability=False).local_part
    forms = (value, f"{local_part}@{unicode_domain}", f"{local_part}@{ascii_domain}")
    if max(len(form.encode()) for form in forms) > EMAIL_BYTES:
        raise EmailNotValidError
    return EmailAddress(local_part, unicode_domain, ascii_domain)


@lru_cache(maxsize=256)
def _parse_domain(domain: str, *, special_use: bool) -> tuple[str, str]:
    """Validate a domain, and return it in Unicode and in ASCII."""
    try:
        parsed = validate_email(f"a@{domain}", check_deliverability=False)
    except EmailNotValidError:
        if special_use:
            return _parse_special_domain(domain)
        raise
    return parsed.domain, parsed.ascii_domain


def _parse_special_domain(domain: str) -> tuple[str, str]:
    """Validate a domain that the library refuses for its top level alone, by validating it below a public one."""
    parsed = validate_email(f"a@{domain}{PUBLIC_SUFFIX}", check_deliverability=False)
    unicode_domain, ascii_domain = (
        form.removesuffix(PUBLIC_SUFFIX) for form in (parsed.domain, str(parsed.ascii_domain))
    )
    if "." in ascii_domain and not ascii_domain.endswith(SPECIAL_USE):
        raise EmailNotValidError
    return unicode_domain, ascii_domain


def mask_email(email: str) -> str:
    """Mask an email address: enough to recognise it, not enough to write to it."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}…@{domain}"
