"""A letter, from facts to a message: one kind, one language, one addressee."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

from email_validator import EmailNotValidError, validate_email

from accounts.models.mail import MailKind
from accounts.worker.language import language as language_of
from accounts.worker.templates_env import render

KIND_HEADER = "X-Accounts-Mail"


def compose_message(
    kind: MailKind,
    to: str,
    facts: Mapping[str, Any],
    *,
    language: str,
    sender: str,
    message_id: uuid.UUID,
    domain: str,
    service: str,
) -> EmailMessage:
    """Write a letter to ``to`` (RFC 5322, RFC 6532), as plain text and HTML, that asks not to be answered (RFC 3834).

    ``facts`` has the ``name`` of who is written to, which may be empty, and what the kind's template names: aware
    datetimes, links, text by whomever. ``language`` is a tag; ``sender`` is a mailbox, with a name or without;
    ``message_id`` and ``domain`` make the Message-ID, the same one at each attempt.

    Raises:
        ValueError: nothing can be sent to ``to``; an instant has no zone; a link is none of HTTP.
        UndefinedError: a fact is missing.

    """
    spoken = language_of(language)
    subject, text, html = render(kind, {**facts, "service": service}, spoken)
    message = EmailMessage()
    message["From"] = sender
    message["To"] = recipient(to)
    message["Subject"] = subject
    message["Date"] = datetime.now(UTC)
    message["Message-ID"] = f"<{message_id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message[KIND_HEADER] = kind.value
    # Seven bits and short lines pass every server as they are, signed or not.
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    message["Content-Language"] = spoken.tag  # after the parts, or it would become the first one's
    return message


def recipient(email: str) -> Address:
    """Take an address apart, its domain as A-labels (RFC 5890), so that only a local part can need SMTPUTF8 (RFC 6531).

    Raises:
        ValueError: it is no address.

    """
    try:
        found = validate_email(email, check_deliverability=False)
    except EmailNotValidError:
        raise ValueError("an address that nothing can be sent to") from None
    return Address(username=found.local_part, domain=found.ascii_domain)
