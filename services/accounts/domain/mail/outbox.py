"""Mail is posted by the transaction that causes it, and by nothing else: what is rolled back is written to nobody.

``dispatch`` is the other end. The row says what to write about; the token that a mail may bring follows from its id.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from uuid_utils.compat import uuid7

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain.mail.languages import negotiate_language
from accounts.models import MailKind, User
from accounts.models.identity import COLLATION

CHANNEL = "outbox"  # notified at each commit that has posted something


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """What to write about to an address: ``user_id`` is whose it is, ``invitation_id`` which it brings."""

    email: str
    user_id: uuid.UUID | None = None
    invitation_id: int | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    id: uuid.UUID = field(default_factory=uuid7)


# The id is the caller's, who stores the token that follows from it.
POST = CompiledStatement(f"""
    WITH posted AS (
        INSERT INTO outbox (id, kind, email, user_id, invitation_id, language, detail)
        SELECT id, :kind, email, user_id, invitation_id, :language, detail
        FROM unnest(
            CAST(:ids AS uuid[]),
            CAST(:emails AS text[]),
            CAST(:user_ids AS uuid[]),
            CAST(:invitation_ids AS bigint[]),
            CAST(:details AS jsonb[])
        ) AS given (id, email, user_id, invitation_id, detail)
    )
    SELECT pg_notify('{CHANNEL}', '')
""")  # noqa: S608  # of a constant
POST_TO_HOLDER = CompiledStatement(f"""
    WITH posted AS (
        INSERT INTO outbox (id, kind, email, user_id, language)
        SELECT CAST(:id AS uuid), :kind, email, id, :language FROM "user"
        WHERE lower(email) = lower(CAST(:email AS text) COLLATE "{COLLATION}") AND is_active
    )
    SELECT pg_notify('{CHANNEL}', '')
""")  # noqa: S608  # of constants


async def enqueue(db: Session, kind: MailKind, letters: Sequence[OutgoingMail]) -> None:
    """Post letters of a kind, by one statement however many there are; they leave after the commit."""
    values = {
        "kind": kind,
        "language": request_language(db),
        "ids": [each.id for each in letters],
        "emails": [each.email for each in letters],
        "user_ids": [each.user_id for each in letters],
        "invitation_ids": [each.invitation_id for each in letters],
        "details": [json.dumps(each.detail) for each in letters],
    }
    await POST.run(db, **values)


async def enqueue_to_user(db: Session, kind: MailKind, user: User, **detail: Any) -> None:
    """Post a letter to a user."""
    await enqueue(db, kind, [OutgoingMail(user.email, user.id, detail=detail)])


async def enqueue_to_email_owner(db: Session, kind: MailKind, email: str) -> None:
    """Post a letter to the active user who has an address, if there is one; it is one statement either way."""
    values = {"id": uuid7(), "kind": kind, "language": request_language(db), "email": email}
    await POST_TO_HOLDER.run(db, **values)


def request_language(db: Session) -> str:
    """Choose the language of a mail by the Accept-Language header of the request that causes it."""
    return negotiate_language(db.context.accept_language if db.context else "")
