"""Composes the MIME message of a letter."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
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
    message["From"] = sender
    message["To"] = recipient(to)
    message["Subject"] = subject
    message["Date"] = datetime.now(UTC)
    message["Message-ID"] = f"<{message_id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message[KIND_HEADER] = kind.value
    # 7-bit content with short lines passes every server unchanged, signed or not.
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    message["Content-Language"] = chosen.tag  # last, or it would become a header of the first part
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
