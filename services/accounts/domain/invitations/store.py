"""Invitations to groups, as rows. An invitation is for an email address, with or without an account, or for a user.

The row of an invitation for a user has no email address, so it cannot be shown to the inviter, and it conflicts with no
invitation for an address. Otherwise an inviter could find out which address the user has.

It stays valid until it expires, even if its inviter may no longer invite, and is deleted with its group. Expired
invitations are ignored.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row
from sqlmodel import col

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain.identity.mailed_tokens import derive_token
from accounts.domain.mail import outbox
from accounts.domain.mail.outbox import OutgoingMail
from accounts.domain.opaque_tokens import hash_token
from accounts.models import Invitation, MailKind, Role
from accounts.models.base import COLLATION
from accounts.models.invitations import IS_OPEN


def has_token(token: str) -> tuple[ColumnElement[bool], ...]:
    """Return the SQL conditions that an invitation is open and has a token."""
    return has_token_hash(hash_token(token))


def has_token_hash(token_hash: bytes) -> tuple[ColumnElement[bool], ...]:
    """Return the SQL conditions that an invitation is open and has a token with a hash."""
    return col(Invitation.token_hash) == token_hash, IS_OPEN


@dataclass(frozen=True, slots=True)
class InvitationRequest:
    """An invitation to store: ``lifetime`` is the time until it expires.

    ``email`` receives the mail. It is stored unless the invitation is for the user ``user_id``.
    """

    email: str
    role: Role = Role.MEMBER
    note: str = ""
    lifetime: timedelta = timedelta(days=7)
    user_id: uuid.UUID | None = None


DELETE_EXPIRED = CompiledStatement(f"""
    WITH of_users AS (
        DELETE FROM invitation
        WHERE group_id = :group_id AND user_id = ANY(CAST(:user_ids AS uuid[])) AND expires_at <= now()
    )
    DELETE FROM invitation USING unnest(CAST(:emails AS text[])) AS given (email)
    WHERE invitation.group_id = :group_id AND invitation.expires_at <= now()
        AND lower(invitation.email) = lower(given.email COLLATE "{COLLATION}")
""")  # noqa: S608  # only a constant is interpolated
INSERT = CompiledStatement("""
    INSERT INTO invitation (group_id, inviter_id, email, user_id, role, note, token_hash, expires_at)
    SELECT CAST(:group_id AS bigint), CAST(:inviter_id AS uuid), email, user_id, role, note, token_hash,
        now() + lifetime
    FROM unnest(
        CAST(:emails AS text[]),
        CAST(:user_ids AS uuid[]),
        CAST(:roles AS text[]),
        CAST(:notes AS text[]),
        CAST(:hashes AS bytea[]),
        CAST(:lifetimes AS interval[])
    ) AS given (email, user_id, role, note, token_hash, lifetime)
    ON CONFLICT DO NOTHING
    RETURNING *
""")


async def store_invitations(
    db: Session, key: str, group_id: int, inviter_id: uuid.UUID, rows: Sequence[InvitationRequest]
) -> Sequence[Row[Any]]:
    """Store invitations to a group and enqueue their mails, in three statements for any number of rows.

    Rows whose email address or user has an open invitation to the group are skipped (ignoring letter case), and so is
    the second row of an address. Expired invitations are replaced.

    The caller has locked the inviter and the group (``lock_group``), and has required the permission INVITE, and
    MANAGE_OWNERS for the role of owner. The caller also excludes members, and records the audit events.

    Args:
        key: derives the tokens.

    Returns:
        The rows of the new invitations. An ``Invitation`` for each would take most of the time of a large import.

    """
    mails = {hash_token(derive_token(key, mail.id)): mail for mail in (OutgoingMail(row.email) for row in rows)}
    addressees = {
        "emails": [None if row.user_id else row.email for row in rows],
        "user_ids": [row.user_id for row in rows],
    }
    await DELETE_EXPIRED.run(db, group_id=group_id, **addressees)
    stored = await INSERT.run(
        db,
        group_id=group_id,
        inviter_id=inviter_id,
        **addressees,
        roles=[row.role.value for row in rows],
        notes=[row.note for row in rows],
        hashes=list(mails),
        lifetimes=[row.lifetime for row in rows],
    )
    stored_mails = [replace(mails[row.token_hash], invitation_id=row.id) for row in stored]
    await outbox.enqueue(db, MailKind.INVITATION, stored_mails)
    return stored
