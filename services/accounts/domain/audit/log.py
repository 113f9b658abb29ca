"""The record of what happened: written in the transaction that does it, by whoever does it."""

import hashlib
import json
import uuid
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from accounts.db.session import Session
from accounts.db.statements import Prepared
from accounts.models import User
from accounts.models.sessions import ADDRESS_LENGTH


class Action(StrEnum):
    """What can be recorded, named object.verb."""

    SESSION_STARTED = "session.started"
    SESSION_REFUSED = "session.refused"
    SESSION_ENDED = "session.ended"
    SESSIONS_REVOKED = "sessions.revoked"
    REFRESH_REUSED = "refresh.reused"
    USER_CREATED = "user.created"
    USER_CHANGED = "user.changed"
    USER_DELETED = "user.deleted"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105  # a name
    EMAIL_CHANGED = "email.changed"
    GROUP_CREATED = "group.created"
    GROUP_CHANGED = "group.changed"
    GROUP_DELETED = "group.deleted"
    MEMBERSHIP_CREATED = "membership.created"
    MEMBERSHIP_CHANGED = "membership.changed"
    MEMBERSHIP_DELETED = "membership.deleted"
    INVITATION_CREATED = "invitation.created"
    INVITATION_RESENT = "invitation.resent"
    INVITATION_REVOKED = "invitation.revoked"
    INVITATION_ACCEPTED = "invitation.accepted"
    INVITATION_DECLINED = "invitation.declined"
    MEMBERS_IMPORTED = "members.imported"
    PRUNED = "pruned"


# What somebody who is not signed in can only do as the user that it is about.
PROVEN = {
    Action.SESSION_STARTED,
    Action.USER_CREATED,
    Action.USER_CHANGED,
    Action.PASSWORD_CHANGED,
    Action.MEMBERSHIP_CREATED,
    Action.INVITATION_ACCEPTED,
}


RECORD = Prepared("""
    INSERT INTO audit_event (action, actor_id, user_id, group_id, address, detail)
    VALUES (:action, :actor_id, :user_id, :group_id, :address, :detail)
""")


async def record(
    session: Session,
    action: Action,
    *,
    user_id: uuid.UUID | None = None,
    group_id: int | None = None,
    **detail: Any,
) -> None:
    """Add an event to the session's transaction; the actor and the client's address are the session's own.

    ``user_id`` is whom it was done to. ``detail`` holds no secret, nobody's e-mail address and no other person's id:
    both the actor and the user may see it. What a command does has no actor and no address.
    """
    address = session.info.get("address")
    actor_id = session.info.get("actor_id")
    if address is not None and action in PROVEN:
        actor_id = actor_id or user_id
    values = {
        "action": action,
        "actor_id": actor_id,
        "user_id": user_id,
        "group_id": group_id,
        "address": of_client(session, "address", ADDRESS_LENGTH),
        "detail": json.dumps(detail),
    }
    await RECORD.run(session, **values)


def of_client(session: Session, name: str, length: int) -> str:
    """Give of what the session knows of its client what can be stored and shown; nothing where there is no client."""
    return "".join(filter(str.isprintable, session.info.get(name, "")))[:length]


async def record_refusal(session: Session, email: str, user: User | None) -> None:
    """Record a failed sign-in, by one statement for whatever address; if it is nobody's, its hash is kept."""
    digest = hashlib.sha256(email.lower().encode()).hexdigest()
    unknown: dict[str, Any] = {} if user else {"email_sha256": digest}
    await record(session, Action.SESSION_REFUSED, user_id=user.id if user else None, **unknown)


RECORD_EACH = Prepared("""
    INSERT INTO audit_event (action, actor_id, group_id, address, user_id, detail)
    SELECT :action, CAST(:actor_id AS uuid), CAST(:group_id AS bigint), :address, user_id, detail
    FROM unnest(CAST(:user_ids AS uuid[]), CAST(:details AS jsonb[])) AS given (user_id, detail)
""")


async def record_each(
    session: Session, action: Action, group_id: int, about: Sequence[tuple[uuid.UUID | None, dict[str, Any]]]
) -> None:
    """Add an event for each user, or None, and detail, by one statement: what the session's actor did in a group."""
    values = {
        "action": action,
        "actor_id": session.info.get("actor_id"),
        "group_id": group_id,
        "address": of_client(session, "address", ADDRESS_LENGTH),
        "user_ids": [user_id for user_id, _ in about],
        "details": [json.dumps(detail) for _, detail in about],
    }
    await RECORD_EACH.run(session, **values)
