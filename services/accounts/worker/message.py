"""Composes the MIME message of a letter."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from email.headerregistry import Address, BaseHeader
from email.message import EmailMessage
from email.quoprimime import body_encode
from email.utils import format_datetime
from functools import cache
from typing import Any

from email_validator import EmailNotValidError

from accounts.branding import Branding
from accounts.domain.mail.languages import best_language
from accounts.models.mail import MailKind
from accounts.schemas.email_addresses import parse_email
from accounts.translations import get_language
from accounts.worker.headers import POLICY
from accounts.worker.rendering import render_letter

OURS = Branding()
KIND_HEADER = "X-Accounts-Mail"
BOUNDARY = "=_letter"  # never part of quoted-printable text, in which two digits follow "=" (RFC 2045, 6.7)


def compose_message(
    kind: MailKind,
    to: str,
    values: Mapping[str, Any],
    *,
    language: str,
    sender: str,
    message_id: uuid.UUID,
    domain: str,
    service: str,
    branding: Branding = OURS,
) -> EmailMessage:
    """Compose a letter as plain text and HTML (RFC 5322, RFC 6532), marked as automatic (RFC 3834).

    Args:
        values: the recipient's ``name``, which may be empty, and what the kind's template shows: aware datetimes,
            links, and text that users wrote.
        language: a language tag; English is used if it is not available.
        sender: a mailbox, with or without a display name.
        message_id: with ``domain``, the Message-ID, the same at each attempt.

    Raises:
        ValueError: ``to`` is not a valid email address, an instant has no time zone, or a link is not HTTP.
        UndefinedError: a value is missing.

    """
    chosen = get_language(best_language(language))
    subject, text, html = render_letter(kind, {**values, "service": service}, chosen, branding)
    message = EmailMessage(POLICY)
    message["From"] = _sender(sender)
    message["To"] = recipient(to)
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{message_id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message[KIND_HEADER] = kind.value
    message["Content-Language"] = chosen.tag
    message["MIME-Version"] = "1.0"
    message["Content-Type"] = f'multipart/alternative; boundary="{BOUNDARY}"'
    message.attach(_part("plain", text))
    message.attach(_part("html", html))
    return message


def recipient(email: str) -> Address:
    """Parse an email address, its domain as A-labels (RFC 5890): only local parts can need SMTPUTF8 (RFC 6531).

    Special-use domains are valid here: whether one may be stored is decided before.

    Raises:
        ValueError: it is not a valid email address; the message does not repeat it.

    """
    try:
        parsed = parse_email(email, special_use=True)
    except EmailNotValidError:
        raise ValueError("not a valid email address") from None
    return Address(username=parsed.local_part, domain=parsed.ascii_domain)


@cache
def _sender(mailbox: str) -> BaseHeader:
    header: BaseHeader = POLICY.header_factory("From", mailbox)
    return header


def _part(subtype: str, text: str) -> EmailMessage:
    """Write a part of a letter: 7-bit content with short lines passes every server unchanged, signed or not."""
    part = EmailMessage(POLICY)
    part["Content-Type"] = f'text/{subtype}; charset="utf-8"'
    part["Content-Transfer-Encoding"] = "quoted-printable"
    part.set_payload(body_encode(text.encode().decode("latin-1")))  # it takes a letter for each byte
    return part
