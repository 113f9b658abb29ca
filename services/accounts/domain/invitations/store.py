"""Invitations into a group: of addresses, whether or not somebody has an account with them.

An invitation is good for as long as it was made for, also when its inviter may not invite any more, and ends with the
group. One that has expired is as good as none. ``inviting`` is for whoever invites, ``answers`` for the invited.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Interval, LargeBinary, String, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import col, func, select
from uuid_utils.compat import uuid7

from accounts.db.session import Session
from accounts.domain.identity import one_time_tokens
from accounts.domain.keyset import Keyset, parse_row_id
from accounts.domain.mail import outbox
from accounts.domain.mail.outbox import OutgoingMail
from accounts.models import Invitation, MailKind, Role
from accounts.models.identity import COLLATION

IS_OPEN = col(Invitation.expires_at) > func.now()
BY_ID = Keyset((col(Invitation.id),), text=lambda row: str(row[0].id), parse=lambda text: (parse_row_id(text),))


@dataclass(frozen=True, slots=True)
class InvitationRequest:
    """Whom to invite, as what, with which words, and for how long."""

    email: str
    role: Role = Role.MEMBER
    note: str = ""
    lifetime: timedelta = timedelta(days=7)


# Text, because SQLAlchemy would compile an ON CONFLICT anew each time; arrays, so that it is the same for any number.
END_EXPIRED = text(f"""
    DELETE FROM invitation USING unnest(:emails) AS given (email)
    WHERE invitation.group_id = :group_id AND invitation.expires_at <= now()
        AND lower(invitation.email) = lower(given.email COLLATE "{COLLATION}")
""").bindparams(bindparam("emails", type_=ARRAY(String)))  # noqa: S608  # of a constant
STORE: Any = select(Invitation).from_statement(
    text("""
        INSERT INTO invitation (group_id, inviter_id, email, role, note, token_hash, expires_at)
        SELECT :group_id, :inviter_id, email, role, note, token_hash, now() + lifetime
        FROM unnest(:emails, :roles, :notes, :hashes, :lifetimes) AS given (email, role, note, token_hash, lifetime)
        ON CONFLICT (group_id, lower(email)) DO NOTHING
        RETURNING *
    """).bindparams(
        bindparam("emails", type_=ARRAY(String)),
        bindparam("roles", type_=ARRAY(String)),
        bindparam("notes", type_=ARRAY(String)),
        bindparam("hashes", type_=ARRAY(LargeBinary)),
        bindparam("lifetimes", type_=ARRAY(Interval)),
    )
)


async def store_invitations(
    db: Session, key: str, group_id: int, inviter_id: uuid.UUID, rows: Sequence[InvitationRequest]
) -> list[Invitation]:
    """Invite addresses into a group and post the tokens, by three statements however many there are.

    An address that has an open invitation into the group is left out, whatever its letter case, and so is the second
    of two rows with one address; an expired invitation is replaced. Who is a member already is the caller's to look
    up, and what happened is the caller's to record.

    The caller has locked the inviter (``access.lock``) and then the group (``access.hold``), and has asked the table of
    permissions: for INVITE, and for MANAGE_OWNERS where a role is owner.

    Returns:
        The new invitations.

    """
    hashes = {
        one_time_tokens.hash_token(one_time_tokens.derive_token(key, mail_id)): mail_id
        for mail_id in (uuid7() for _ in rows)
    }
    emails = [row.email for row in rows]
    await (await db.connection()).execute(END_EXPIRED, {"group_id": group_id, "emails": emails})
    values = {
        "group_id": group_id,
        "inviter_id": inviter_id,
        "emails": emails,
        "roles": [row.role.value for row in rows],
        "notes": [row.note for row in rows],
        "hashes": list(hashes),
        "lifetimes": [row.lifetime for row in rows],
    }
    stored: list[Invitation] = (await db.exec(STORE, params=values)).scalars().all()
    letters = [OutgoingMail(each.email, invitation_id=each.id, id=hashes[each.token_hash]) for each in stored]
    await outbox.enqueue(db, MailKind.INVITATION, letters)
    return stored
