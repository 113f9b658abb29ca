"""Transactional outbox: mail is enqueued by the transaction that causes it, and is sent only if that commits.

``queue`` is the worker's side. A row never contains a token: it is derived from the mail's id and a secret key.
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
from accounts.models import MailKind, Purpose, User
from accounts.models.base import COLLATION
from accounts.models.identity import is_service_email
from accounts.models.mail import CAUSED_BY_OTHERS, LAST_TURN, NOTICE_TURN, URGENT, URGENT_TURN

CHANNEL = "outbox"  # PostgreSQL notifies it at each commit that enqueued mail


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """A mail to enqueue. Which of ``user_id``, ``invitation_id`` and ``detail`` it needs depends on its kind."""

    email: str
    user_id: uuid.UUID | None = None
    invitation_id: int | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    id: uuid.UUID = field(default_factory=uuid7)


# Senders take turns: a sender's next turn follows the sender's last one, and is not before that of the mail which is
# sent next. So the many mails of one sender do not delay the first one of another.
ENQUEUE = CompiledStatement(f"""
    WITH latest AS (
        SELECT greatest(
            (SELECT max(turn) FROM outbox WHERE sender_id = CAST(:sender_id AS uuid)),
            (
                SELECT min(turn) - 1 FROM outbox
                WHERE turn > 0 AND turn < {LAST_TURN} AND next_at <= now() AND parked_at IS NULL
            ),
            0
        ) AS turn
    ), enqueued AS (
        INSERT INTO outbox (id, kind, email, user_id, invitation_id, sender_id, turn, language, detail)
        SELECT id, :kind, email, user_id, invitation_id, CAST(:sender_id AS uuid),
            CASE WHEN CAST(:caused_by_others AS boolean) THEN latest.turn + number ELSE :turn END, :language, detail
        FROM latest, unnest(
            CAST(:ids AS uuid[]),
            CAST(:emails AS text[]),
            CAST(:user_ids AS uuid[]),
            CAST(:invitation_ids AS bigint[]),
            CAST(:details AS jsonb[])
        ) WITH ORDINALITY AS mail (id, email, user_id, invitation_id, detail, number)
    )
    SELECT pg_notify('{CHANNEL}', '')
""")  # noqa: S608  # only constants are interpolated
# What a notice says about the first event that it stands for. All else is about the newest one.
OF_FIRST_EVENT = frozenset(["device", "address", "was", "key_name", "change", "factor_name"])
# The id and the turn stay: a notice whose events do not end is sent no later. A worker that leases the row meanwhile
# counts an attempt, so the condition is no longer true for it. The email address may have changed since.
ADD_TO_WAITING = CompiledStatement("""
    UPDATE outbox SET sender_id = CAST(:sender_id AS uuid), detail = detail || CAST(:detail AS jsonb)
        || jsonb_build_object('more', coalesce(CAST(detail ->> 'more' AS integer), 0) + 1)
    WHERE id = (
        SELECT id FROM outbox WHERE user_id = :user_id AND kind = :kind AND email = :email
            AND coalesce(detail ->> 'group_id', '') = :group_id AND attempts = 0 AND parked_at IS NULL
        ORDER BY id LIMIT 1
    ) AND attempts = 0
    RETURNING id
""")
# A common table expression for statements with the parameter ``email``: the user who has that address, and the
# reservations of it as a previous address, whose change can still be undone. The latter name no user.
EMAIL_HOLDERS = f"""
    holder AS (
        SELECT id, email, is_active AND owner_group_id IS NULL AS is_active, false AS previous FROM "user"
        WHERE lower(email) = lower(CAST(:email AS text) COLLATE "{COLLATION}")
        UNION ALL
        SELECT NULL, email, true, true FROM one_time_token
        WHERE lower(email) = lower(CAST(:email AS text) COLLATE "{COLLATION}")
            AND purpose = '{Purpose.UNDO_EMAIL}' AND expires_at > now()
    )
"""  # noqa: S608  # only constants are interpolated
ENQUEUE_TO_OWNER = CompiledStatement(f"""
    WITH {EMAIL_HOLDERS}, enqueued AS (
        INSERT INTO outbox (id, kind, email, user_id, language, detail)
        SELECT CAST(:id AS uuid), :kind, email, id, :language, jsonb_build_object('previous', previous)
        FROM holder WHERE is_active ORDER BY previous LIMIT 1
    )
    SELECT pg_notify('{CHANNEL}', '')
""")  # noqa: S608  # only constants are interpolated


async def enqueue(db: Session, kind: MailKind, mails: Sequence[OutgoingMail]) -> None:
    """Enqueue mails of one kind, by one statement. They are sent after the commit.

    The sender of mail that others get is the caller of the request. Mail to service accounts is dropped.
    """
    mails = [mail for mail in mails if not is_service_email(mail.email)]
    if not mails:
        return
    caused_by_others = kind in CAUSED_BY_OTHERS
    values = {
        "kind": kind,
        "caused_by_others": caused_by_others,
        "turn": URGENT_TURN if kind in URGENT else NOTICE_TURN,
        "sender_id": _sender(db, kind),
        "language": request_language(db),
        "ids": [mail.id for mail in mails],
        "emails": [mail.email for mail in mails],
        "user_ids": [mail.user_id for mail in mails],
        "invitation_ids": [mail.invitation_id for mail in mails],
        "details": [json.dumps(mail.detail) for mail in mails],
    }
    await ENQUEUE.run(db, **values)


async def enqueue_notice(db: Session, kind: MailKind, user: User, **detail: Any) -> None:
    """Enqueue a notice to a user, or add it to one that waits.

    A waiting notice that was not tried yet is about the first event of its kind, and in its group, and counts the
    others: ``more``. So a user with many events gets few mails, and none of the events is lost.
    """
    newest = {name: value for name, value in detail.items() if name not in OF_FIRST_EVENT}
    values = {"kind": kind, "user_id": user.id, "email": user.email, "group_id": str(detail.get("group_id", ""))}
    if not await ADD_TO_WAITING.run(db, **values, sender_id=_sender(db, kind), detail=json.dumps(newest)):
        await enqueue(db, kind, [OutgoingMail(user.email, user.id, detail=detail)])


async def enqueue_to_email_owner(db: Session, kind: MailKind, email: str) -> None:
    """Enqueue a mail to the active user with an email address, if there is one: one statement in all cases.

    It also goes to a previous address that can undo a change, without a name: an attacker may have chosen the user's.
    """
    values = {"id": uuid7(), "kind": kind, "language": request_language(db), "email": email}
    await ENQUEUE_TO_OWNER.run(db, **values)


def _sender(db: Session, kind: MailKind) -> uuid.UUID | None:
    return db.actor_id if kind in CAUSED_BY_OTHERS else None


def request_language(db: Session) -> str:
    """Return the language of the request's Accept-Language header, for the mails that the request causes."""
    return negotiate_language(db.context.accept_language if db.context else "")
