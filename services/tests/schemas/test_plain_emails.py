"""Plain emails are parsed without the library, with exactly its result."""

import pytest
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES
from hypothesis import example, given, settings
from hypothesis import strategies as st

from accounts.schemas import email_addresses
from accounts.schemas.email_addresses import EmailAddress, parse_email

LOCAL = st.text("abzAZ019!#$%&'*+/=?^_`{|}~-.", min_size=1, max_size=70) | st.sampled_from(
    CASE_INSENSITIVE_MAILBOX_NAMES
)
LABEL = st.text("abxnz019-", min_size=1, max_size=5) | st.from_regex(r"[a-z0-9-]{60,66}", fullmatch=True)
TOP = st.sampled_from(["org", "museum", "a", "a1", "1", "x-y", "xn--p1ai", *SPECIAL_USE_DOMAIN_NAMES])
EMAIL = st.builds(lambda local, labels, top: f"{local}@{'.'.join([*labels, top])}", LOCAL, st.lists(LABEL), TOP)


def slowly(email: str, *, special_use: bool) -> EmailAddress | None:
    try:
        return email_addresses._parse(email, special_use=special_use)
    except EmailNotValidError:
        return None


@given(EMAIL, st.booleans())
@example("Postmaster@camelot.example.com", False)
@example("arthur@xn--camelot.example.com", False)
@example("arthur@ab--camelot.example.com", False)
@example("a" * 64 + "@camelot.example.com", False)
@example("a" * 65 + "@camelot.example.com", False)
@example("a@" + "b" * 63 + ".org", False)
@example("a@" + "b" * 64 + ".org", False)
@example("arthur@castle.local", True)
@example("arthur@local", True)
@example("arthur@camelot", True)
@settings(max_examples=300, deadline=None, database=None)
def test_plain_email_has_the_result_of_the_library(email: str, special_use: bool) -> None:  # noqa: FBT001
    plain = email_addresses._parse_plain(email)

    assert plain is None or plain == slowly(email, special_use=special_use)


@pytest.mark.parametrize("local", ["king.arthur", "o'brien+news", "A_b-c.1"])
@pytest.mark.parametrize("domain", ["camelot.example.com", "a-b.museum", "1.co"])
def test_usual_emails_take_the_fast_way(monkeypatch: pytest.MonkeyPatch, local: str, domain: str) -> None:
    monkeypatch.setattr(email_addresses, "_parse", lambda *_, **__: pytest.fail("parsed by the library"))

    assert parse_email(f"{local}@{domain}", special_use=False) == (local, domain, domain)


def test_emails_of_254_bytes_are_the_longest() -> None:
    longest = "a@" + ".".join(["b" * 60] * 4) + ".museums"
    assert len(longest) == 253
    assert email_addresses._parse_plain(f"{longest}s")
    assert email_addresses._parse_plain(f"{longest}ss") is None
