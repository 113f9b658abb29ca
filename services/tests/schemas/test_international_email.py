"""Emails are validated as the library does it, but a domain once for many of them."""

import idna
import pytest
from email_validator import EmailNotValidError, validate_email
from pydantic import TypeAdapter, ValidationError

from accounts.schemas.email_addresses import _parse_domain
from accounts.schemas.fields import Email

EMAIL = TypeAdapter[str](Email)
LOCAL_PARTS = ("bors", "Börs", "bo\u0308rs", "Postmaster", "", "a b", ".a", '"a"', "a@b", "a <b", "x" * 64, "x" * 65)
DOMAINS = (
    "example.com",
    "Example.COM",
    "example",
    "example.123",
    "b.local",
    "",
    "[127.0.0.1]",
    f"{'.'.join(['x' * 60] * 3)}.example.com",
    f"{'.'.join(['x' * 60] * 4)}.example.com",
    "münchen.example.com",
    "MÜNCHEN.Example.com",
    "xn--mnchen-3ya.example.com",
    "XN--MNCHEN-3YA.example.com",
    "xn--a.example.com",
    "mu\u0308nchen。example.com",
    "ü..example.com",
    "ü",
    "ü>",
    "[ü]",
    f"{'.'.join(['ü' * 20] * 4)}.example.com",
    f"{'.'.join(['ü' * 20] * 5)}.example.com",
    f"{'.'.join(['ü' * 50] * 5)}.example.com",
)


def library(email: str) -> str | None:
    try:
        return validate_email(email, check_deliverability=False).normalized
    except EmailNotValidError:
        return None


def ours(email: str) -> str | None:
    try:
        return EMAIL.validate_python(email)
    except ValidationError:
        return None


@pytest.mark.parametrize("domain", DOMAINS)
def test_email_is_accepted_if_the_library_accepts_it(domain: str) -> None:
    emails = [f"{local_part}@{domain}" for local_part in LOCAL_PARTS]

    assert [ours(email) for email in emails] == [library(email) for email in emails]


def test_domain_of_many_emails_is_converted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    converted = []
    alabel = idna.alabel

    def counted(label: str) -> bytes:
        converted.append(label)
        return alabel(label)

    monkeypatch.setattr(idna, "alabel", counted)

    for number in range(100):
        EMAIL.validate_python(f"knight{number}@{'.'.join(['ö' * 5] * 8)}.example.com")

    assert converted.count("ööööö") == 8  # its labels
    assert _parse_domain.cache_info().maxsize  # what is cached is bounded
