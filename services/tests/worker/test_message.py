"""Letters: headers, texts and languages, and that text from users is harmless."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest
from jinja2 import UndefinedError

from accounts.models.mail import MailKind
from accounts.translations import available_languages
from accounts.worker.message import BOUNDARY, compose_message
from mail_preview import LINK, SAMPLES

KINDS_AND_LANGUAGES = [(kind, language) for kind in MailKind for language in sorted(available_languages())]
RECIPIENT = {"name": "Arthur Pendragon"}
ZERO_WIDTH = "\u200b"


def letter(
    kind: MailKind = MailKind.VERIFY,
    to: str = "arthur@example.com",
    language: str = "en",
    service: str = "Camelot",
    **values: Any,
) -> EmailMessage:
    return compose_message(
        kind,
        to,
        {**RECIPIENT, **SAMPLES[kind], **values},
        language=language,
        sender="Röund Table <accounts@example.com>",
        message_id=UUID("01a204c7-a95e-718d-819f-0e7cbb50ac07"),
        domain="accounts.example.com",
        service=service,
    )


def received(message: EmailMessage) -> EmailMessage:
    """The message as a mail program parses it."""
    parsed = message_from_bytes(message.as_bytes(policy=policy.SMTP), policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    assert not parsed.defects
    return parsed


def parts(message: EmailMessage) -> tuple[str, str]:
    """The plain text and the HTML."""
    text, html = received(message).iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert {part.get_content_charset() for part in (text, html)} == {"utf-8"}
    return text.get_content().replace("\r\n", "\n"), html.get_content().replace("\r\n", "\n")


def test_headers_of_an_automatic_message() -> None:
    message = received(letter())

    assert message["From"].addresses[0].display_name == "Röund Table"
    assert message["To"] == "arthur@example.com"
    assert message["Subject"] == "Confirm your email address"
    assert message["Message-ID"] == "<01a204c7-a95e-718d-819f-0e7cbb50ac07@accounts.example.com>"
    assert abs(datetime.now(UTC) - message["Date"].datetime) < timedelta(minutes=1)
    assert message["Content-Language"] == "en"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["X-Accounts-Mail"] == "verify"
    assert message.get_content_type() == "multipart/alternative"


@pytest.mark.parametrize(("kind", "language"), KINDS_AND_LANGUAGES)
def test_text_and_html_parts_are_readable_in_every_mail_program(kind: MailKind, language: str) -> None:
    message = letter(kind, language=language)
    text, html = parts(message)

    links = [fact for name, fact in SAMPLES[kind].items() if name.endswith("url")]
    lines = text.splitlines()
    assert all(link in lines for link in links)
    assert all(len(line) <= 72 for line in lines if line not in links)
    assert "\n\n\n" not in text
    assert "Arthur Pendragon" in lines[0]
    assert f'<html lang="{language}">' in html
    assert sorted(set(re.findall(r'href="([^"]*)"', html))) == sorted(set(links))
    assert not re.search(r"<(img|script|link|iframe|object)|url\(|@import|src=", html)
    assert {"{", "}"}.isdisjoint(text)
    assert all(len(line) <= 78 for line in message.as_bytes(policy=policy.SMTP).split(b"\r\n"))


@pytest.mark.parametrize("kind", MailKind)
def test_every_line_is_translated(kind: MailKind) -> None:
    german, english = (letter(kind, language=language) for language in ("de-AT", "en"))

    assert (german["Content-Language"], english["Content-Language"]) == ("de", "en")
    assert german["Subject"] != english["Subject"]
    shared = set(parts(german)[0].splitlines()) & set(parts(english)[0].splitlines())
    facts = {line for line in shared if "://" in line or line.startswith((">", "Firefox", "    ")) or not line}
    assert shared == facts


def test_unknown_language_falls_back_to_english() -> None:
    assert letter(language="tlh")["Content-Language"] == "en"


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, facts in SAMPLES.items() for name in (*RECIPIENT, *facts)]
)
def test_missing_value_raises(kind: MailKind, name: str) -> None:
    facts: Mapping[str, Any] = {key: fact for key, fact in {**RECIPIENT, **SAMPLES[kind]}.items() if key != name}

    with pytest.raises(UndefinedError, match=name):
        compose_message(
            kind,
            "arthur@example.com",
            facts,
            language="en",
            sender="accounts@example.com",
            message_id=UUID(int=1),
            domain="example.com",
            service="Camelot",
        )


def test_dates_are_localised_and_in_utc() -> None:
    at = datetime(2026, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))

    english, german = (parts(letter(MailKind.PASSWORD_CHANGED, language=each, at=at))[0] for each in ("en", "de"))

    assert "Saturday, February 28, 2026 at 22:30 UTC" in " ".join(english.split())
    assert "Samstag, 28. Februar 2026 um 22:30 Uhr (UTC)" in " ".join(german.split())


@pytest.mark.parametrize("line", [f"--{BOUNDARY}", f"--{BOUNDARY}--", "=C3=A9", "é" * 80, "."])
def test_text_that_looks_like_mime_stays_text(line: str) -> None:
    text, html = parts(letter(MailKind.INVITATION, note=f"before\n{line}\nafter"))

    assert f"> {line}"[:70] in text.replace(ZERO_WIDTH, "")
    assert line in html.replace(ZERO_WIDTH, "")


def test_naive_datetime_raises() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        letter(expires_at=datetime(2026, 3, 1))  # noqa: DTZ001  # naive on purpose


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://a.example/\nX", "https://a.example/ b", 'https://a"', ""]
)
def test_link_that_is_not_http_raises(url: str) -> None:
    with pytest.raises(ValueError, match="not HTTP"):
        letter(url=url)


def test_reset_after_an_undone_email_change_says_so() -> None:
    text = " ".join(parts(letter(MailKind.RESET, email_restored=True))[0].split())

    assert "Your email address has been restored. Your password no longer works" in text
    assert "Ignore this email" not in text


def test_first_password_says_that_there_is_none_yet() -> None:
    values: dict[str, Any] = {"first_password": True, "reset_url": "https://accounts.example.com/forgot-password"}
    text = " ".join(parts(letter(MailKind.RESET, **values))[0].split())

    assert "which has no password yet" in text
    assert values["reset_url"] in text
    assert "asked to reset" not in text


def test_required_password_says_that_the_old_one_no_longer_works() -> None:
    values: dict[str, Any] = {"password_required": True, "reset_url": "https://accounts.example.com/forgot-password"}
    text = " ".join(parts(letter(MailKind.RESET, **values))[0].split())

    assert "ask you to choose a new password. Your old one no longer works" in text
    assert values["reset_url"] in text
    assert "Ignore this email" not in text


def test_recipient_without_a_name_is_greeted_without_one() -> None:
    assert parts(letter(name=""))[0].startswith("Hello,\n")


def test_email_change_that_cannot_be_undone_has_no_link() -> None:
    text, html = parts(letter(MailKind.EMAIL_CHANGED, url=None, expires_at=None))

    assert "contact the people who run Camelot" in " ".join(text.split())
    assert "href" not in html
    assert "undo" not in text.lower()


def test_undo_link_without_expiry_names_none() -> None:
    text = parts(letter(MailKind.EMAIL_CHANGED, expires_at=None))[0]

    assert LINK in text
    assert "until" not in text


def test_invitation_without_inviter_and_note() -> None:
    text, html = parts(letter(MailKind.INVITATION, inviter_name=None, note=""))

    assert "You're invited to join the group “Round Table” on Camelot. Your role: Member" in " ".join(text.split())
    assert ">" not in text
    assert "<blockquote" not in html


def test_unknown_device_and_ip_address_are_left_out() -> None:
    text, html = parts(letter(MailKind.NEW_SIGN_IN, device="", address=""))

    assert "Time: " in text
    assert not re.search("Device|IP address", text + html)


@pytest.mark.parametrize(
    ("is_superuser", "sentence"), [(True, "You are now a superuser"), (False, "no longer a superuser")]
)
def test_superuser_letter_says_whether_the_rights_were_granted_or_revoked(*, is_superuser: bool, sentence: str) -> None:
    assert sentence in parts(letter(MailKind.SUPERUSER_CHANGED, is_superuser=is_superuser))[0]


def test_roles_are_translated() -> None:
    text = parts(letter(MailKind.ROLE_CHANGED, language="de", role="owner", was="member"))[0]

    assert "Neue Rolle: Eigentümer Bisherige Rolle: Mitglied" in " ".join(text.split())


HOSTILE = [
    "x\r\nBcc: victim@example.com",
    "x\nSubject: y\n\nbody",
    "x\x00\x0b\x0c\x1c\x85y",
    "x\u2028\u2029y\u202ez\u2066",
    "\udc80 lone",
    "=?utf-8?q?x=0D=0ABcc:_victim=40example.com?=",
    "\x1b[31m",
    "x" * 5000,
    "ж" * 5000,
    "😀" * 3000,
    "<script>alert(1)</script>&amp;\"'",
    "{name} {{ 7*7 }} {% raw %} {0.__class__}",
]
TEXTS = [
    (MailKind.INVITATION, "group_name"),
    (MailKind.INVITATION, "inviter_name"),
    (MailKind.INVITATION, "note"),
    (MailKind.ROLE_CHANGED, "group_name"),
    (MailKind.NEW_SIGN_IN, "device"),
    (MailKind.NEW_SIGN_IN, "address"),
    (MailKind.EMAIL_CHANGED, "new_email_hint"),
    (MailKind.VERIFY, "name"),
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(("kind", "name"), TEXTS)
def test_user_text_cannot_inject_headers_or_markup(kind: MailKind, name: str, value: str) -> None:
    message = letter(kind, **{name: value})
    text, html = parts(message)

    assert received(message).keys() == letter(kind).keys()
    assert all(len(line) <= 78 for line in message.as_bytes(policy=policy.SMTP).split(b"\r\n"))
    assert received(message)["Subject"] == message["Subject"]
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066]", text + html)
    assert "<script" not in html
    assert "49" not in html.replace(LINK, "").partition("<body")[2]
    assert len(text) < 5000


@pytest.mark.parametrize(
    "value",
    [
        "https://evil.example/login",
        "HTTP://evil.example",
        "www.evil.example",
        "evil.com",
        "evil.com/path?x=1",
        "somebody@evil.com",
        "mailto:somebody@evil.com",
        "//evil.com",
        "evil。com",
        "a.b.c.d.evil.com:8080",
        "http://127.0.0.1",
    ],
)
@pytest.mark.parametrize(("kind", "name"), [each for each in TEXTS if each[1] != "address"])
def test_user_text_cannot_become_a_link(kind: MailKind, name: str, value: str) -> None:
    message = letter(kind, **{name: value})

    for form in (message["Subject"], *parts(message)):
        visible = form.replace(LINK, "")
        assert "evil.com" not in visible
        assert not re.search(r"[.:/@。](com|evil|example/|//|/e)", re.sub(r"https://accounts\S*", "", visible))
    shown = parts(message)[0].replace(ZERO_WIDTH, "")
    assert value in re.sub(r"\s+", "", shown.replace("\n> ", ""))


def test_ip_address_is_not_altered() -> None:
    assert "IP address: 2001:db8::7\n" in parts(letter(MailKind.NEW_SIGN_IN, address="2001:db8::7"))[0]


def test_note_is_quoted_line_by_line() -> None:
    text, html = parts(letter(MailKind.INVITATION, note="\nOne\r\n\r\n" + "two " * 40 + "\n> three & four\n"))

    quoted = [line for line in text.splitlines() if line.startswith(">")]
    assert quoted[:3] == ["> One", ">", "> " + ("two " * 17).strip()]
    assert quoted[-1] == "> > three & four"
    assert "&gt; three &amp; four" in html
    assert html.count("<br>\n") >= 3


@pytest.mark.parametrize(
    ("to", "sent"),
    [
        ("gawain@bücher.example", "gawain@xn--bcher-kva.example"),
        ("jürgen@bücher.example", "jürgen@xn--bcher-kva.example"),
        ("o'brien+x@example.com", "o'brien+x@example.com"),
    ],
)
def test_domain_of_the_recipient_is_sent_as_a_labels(to: str, sent: str) -> None:
    message = letter(to=to)
    how = policy.SMTP if sent.isascii() else policy.SMTPUTF8

    assert f"\r\nTo: {sent}\r\n".encode() in message.as_bytes(policy=how)


@pytest.mark.parametrize(
    "to", ["", "x", "a@b.1", "a@example.com\r\nBcc: b@example.com", "a@example.com, b@example.com"]
)
def test_invalid_recipient_raises_without_repeating_it(to: str) -> None:
    with pytest.raises(ValueError, match=r"^not a valid email address$"):
        letter(to=to)


@pytest.mark.parametrize("kind", list(MailKind))
def test_texts_are_right_for_a_service_whose_name_begins_with_a_vowel(kind: MailKind) -> None:
    text, html = parts(letter(kind, service="accounts"))

    assert "a accounts" not in text
    assert "a accounts" not in html
