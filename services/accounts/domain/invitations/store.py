"""Invitations to groups, as rows. An invitation is for an email address, with or without an account.

It stays valid until it expires, even if its inviter may no longer invite, and is deleted with its group. Expired
invitations are ignored.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import col
from uuid_utils.compat import uuid7

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain.identity.mailed_tokens import derive_token, hash_token
from accounts.domain.keyset import Keyset, parse_row_id
from accounts.domain.mail import outbox
from accounts.domain.mail.outbox import OutgoingMail
from accounts.models import Invitation, MailKind, Role
from accounts.models.base import COLLATION

BY_ID = Keyset((col(Invitation.id),), text=lambda row: str(row[0].id), parse=lambda text: (parse_row_id(text),))


@dataclass(frozen=True, slots=True)
class InvitationRequest:
    """An invitation to store: ``lifetime`` is the time until it expires."""

    email: str
    role: Role = Role.MEMBER
    note: str = ""
    lifetime: timedelta = timedelta(days=7)


DELETE_EXPIRED = CompiledStatement(f"""
    DELETE FROM invitation USING unnest(CAST(:emails AS text[])) AS given (email)
    WHERE invitation.group_id = :group_id AND invitation.expires_at <= now()
        AND lower(invitation.email) = lower(given.email COLLATE "{COLLATION}")
""")  # noqa: S608  # only a constant is interpolated
INSERT = CompiledStatement("""
    INSERT INTO invitation (group_id, inviter_id, email, role, note, token_hash, expires_at)
    SELECT CAST(:group_id AS bigint), CAST(:inviter_id AS uuid), email, role, note, token_hash, now() + lifetime
    FROM unnest(
        CAST(:emails AS text[]),
        CAST(:roles AS text[]),
        CAST(:notes AS text[]),
        CAST(:hashes AS bytea[]),
        CAST(:lifetimes AS interval[])
    ) AS given (email, role, note, token_hash, lifetime)
    ON CONFLICT (group_id, lower(email)) DO NOTHING
    RETURNING *
""")


async def store_invitations(
    db: Session, key: str, group_id: int, inviter_id: uuid.UUID, rows: Sequence[InvitationRequest]
) -> list[Invitation]:
    """Store invitations to a group and enqueue their mails, in three statements for any number of rows.

    Rows whose email address has an open invitation to the group are skipped (ignoring letter case), and so is the
    second row of an address. Expired invitations are replaced.

    The caller has locked the inviter (``lock_user``), then the group (``lock_group``), and has required the permission
    INVITE, and MANAGE_OWNERS for the role of owner. The caller also excludes members, and records the audit events.

    Args:
        key: derives the tokens.

    Returns:
        The new invitations.

    """
    mail_ids = {hash_token(derive_token(key, mail_id)): mail_id for mail_id in (uuid7() for _ in rows)}
    emails = [row.email for row in rows]
    await DELETE_EXPIRED.run(db, group_id=group_id, emails=emails)
    stored = await INSERT.run(
        db,
        group_id=group_id,
        inviter_id=inviter_id,
        emails=emails,
        roles=[row.role.value for row in rows],
        notes=[row.note for row in rows],
        hashes=list(mail_ids),
        lifetimes=[row.lifetime for row in rows],
    )
    invitations = [Invitation.model_validate(row._asdict()) for row in stored]
    mails = [OutgoingMail(row.email, invitation_id=row.id, id=mail_ids[row.token_hash]) for row in invitations]
    await outbox.enqueue(db, MailKind.INVITATION, mails)
    return invitations
