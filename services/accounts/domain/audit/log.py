"""The audit log: events are written in the transaction that causes them."""

import hashlib
import json
import uuid
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import select, text

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.models import User
from accounts.user_agent import parse_user_agent


class Action(StrEnum):
    """The recorded actions, named ``object.verb``."""

    SESSION_STARTED = "session.started"
    SESSION_REFUSED = "session.refused"
    SESSION_ELEVATED = "session.elevated"
    SECOND_FACTOR_REFUSED = "second_factor.refused"
    SESSION_ENDED = "session.ended"
    SESSIONS_REVOKED = "sessions.revoked"
    REFRESH_REUSED = "refresh.reused"
    TOKEN_CREATED = "token.created"  # noqa: S105  # a name
    TOKEN_REVOKED = "token.revoked"  # noqa: S105  # a name
    TOKENS_REVOKED = "tokens.revoked"  # a name
    USER_CREATED = "user.created"
    USER_CHANGED = "user.changed"
    USER_DELETED = "user.deleted"
    TOTP_ADDED = "totp.added"
    TOTP_REMOVED = "totp.removed"
    RECOVERY_CODES_CREATED = "recovery_codes.created"
    RECOVERY_CODE_USED = "recovery_code.used"
    PASSKEY_ADDED = "passkey.added"
    PASSKEY_REMOVED = "passkey.removed"
    PASSKEY_CLONED = "passkey.cloned"
    IDENTITY_LINKED = "identity.linked"
    IDENTITY_UNLINKED = "identity.unlinked"
    FACTORS_RESET = "factors.reset"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105  # a name
    PASSWORD_REQUIRED = "password.required"  # noqa: S105  # a name
    LINK_SENT = "link.sent"
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
    SERVICE_ACCOUNT_CREATED = "service_account.created"
    SERVICE_ACCOUNT_CHANGED = "service_account.changed"
    SERVICE_ACCOUNT_DELETED = "service_account.deleted"
    SECRET_CREATED = "secret.created"  # noqa: S105  # a name
    SECRET_REVOKED = "secret.revoked"  # noqa: S105  # as above
    USERS_IMPORTED = "users.imported"
    MAIL_RETRIED = "mail.retried"
    MAIL_DISCARDED = "mail.discarded"
    SAMPLE_USERS_DELETED = "sample_users.deleted"
    PRUNED = "pruned"


# A caller without a session performs these as the user whom they affect, for example registering.
SELF_ACTIONS = {
    Action.SESSION_STARTED,
    Action.SESSION_ELEVATED,
    Action.USER_CREATED,
    Action.USER_CHANGED,
    Action.PASSWORD_CHANGED,
    Action.RECOVERY_CODE_USED,
    Action.IDENTITY_LINKED,
    Action.MEMBERSHIP_CREATED,
    Action.INVITATION_ACCEPTED,
}
# They have the device of the client in their detail. Of sessions it is known only until they end.
WITH_DEVICE = {
    Action.SESSION_STARTED,
    Action.SESSION_REFUSED,
    Action.SESSION_ELEVATED,
    Action.SECOND_FACTOR_REFUSED,
}


# Statements that record what they do have it as a common table expression, with the values of ``event_columns``.
EVENT = """
    INSERT INTO audit_event (action, actor_id, user_id, group_id, address, detail)
    SELECT :action, :actor_id, :user_id, :group_id, :address, :detail
"""
INSERT_EVENT = CompiledStatement(EVENT)


class RecordedChange(CompiledStatement):
    """A change of at most one row, which is recorded if there is one. It takes the values of ``event_columns``, too."""

    def __init__(self, change: Any) -> None:
        changed = change.cte("changed")
        recorded = text(f"{EVENT} FROM changed").columns().cte("recorded")
        super().__init__(select(changed).add_cte(changed, recorded))


async def record(
    db: Session,
    action: Action,
    *,
    user_id: uuid.UUID | None = None,
    group_id: int | None = None,
    **detail: Any,
) -> None:
    """Add an event to the transaction; see ``event_columns``."""
    await INSERT_EVENT.run(db, **event_columns(db, action, user_id=user_id, group_id=group_id, **detail))


def event_columns(
    db: Session,
    action: Action,
    *,
    user_id: uuid.UUID | None = None,
    group_id: int | None = None,
    **detail: Any,
) -> dict[str, Any]:
    """Return the columns of an event. The actor and the client IP come from ``db.context``; commands have neither.

    The detail of what a program does with an access key names the key, and that of a sign-in the device.

    Args:
        user_id: the user whom the action affects.
        group_id: the group that it affects.
        detail: shown to the actor and to the user: no secret, no email address, no other person's id.

    """
    actor_id = db.actor_id
    if db.context and action in SELF_ACTIONS:
        actor_id = actor_id or user_id
    if db.context and action in WITH_DEVICE:
        device = parse_user_agent(db.context.user_agent)
        detail |= {name: value for name, value in device._asdict().items() if value}
    return {
        "action": action,
        "actor_id": actor_id,
        "user_id": user_id,
        "group_id": group_id,
        "address": db.client_ip,
        "detail": json.dumps(detail | db.key_detail),
    }


async def record_failed_sign_in(db: Session, email: str, user: User | None) -> None:
    """Record a failed sign-in. Without a user, the SHA-256 of the email address is stored; always one statement."""
    digest = hashlib.sha256(email.lower().encode()).hexdigest()
    unknown: dict[str, Any] = {} if user else {"email_sha256": digest}
    await record(db, Action.SESSION_REFUSED, user_id=user.id if user else None, **unknown)


INSERT_EVENTS = CompiledStatement("""
    INSERT INTO audit_event (action, actor_id, group_id, address, user_id, detail)
    SELECT :action, CAST(:actor_id AS uuid), CAST(:group_id AS bigint), :address, user_id, detail
    FROM unnest(CAST(:user_ids AS uuid[]), CAST(:details AS jsonb[])) AS given (user_id, detail)
""")


async def record_many(
    db: Session, action: Action, group_id: int, events: Sequence[tuple[uuid.UUID | None, dict[str, Any]]]
) -> None:
    """Add one event of a group for each (user id, detail) in ``events``, in one statement."""
    await INSERT_EVENTS.run(
        db,
        action=action,
        actor_id=db.actor_id,
        group_id=group_id,
        address=db.client_ip,
        user_ids=[user_id for user_id, _ in events],
        details=[json.dumps(detail | db.key_detail) for _, detail in events],
    )
