"""What the page of a mailed invitation shows before it is answered."""

from typing import Any

from sqlalchemy import ColumnElement, true
from sqlmodel import col, func, select

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.invitations.store import has_token
from accounts.models import Invitation, User, UserGroup
from accounts.models.invitations import has_email
from accounts.schemas.email_addresses import mask_email
from accounts.schemas.invitations import InvitingGroup, MailedInvitation


async def read_mailed_invitation(db: Session, token: str, viewer: User | None) -> MailedInvitation:
    """Return the open invitation of a token.

    Callers who are not signed in see what the letter says, and of the address enough to recognise it: the token and the
    full address together would create an account. Other signed-in users see nothing.

    Raises:
        InvitationBadToken: there is no open invitation with this token.
        InvitationOtherAddress: the invitation was sent to another address, or to another user.

    """
    statement: Any = (
        select(Invitation, UserGroup.name, User.display_name, _is_for(viewer) if viewer else true())
        .join(UserGroup, col(UserGroup.id) == Invitation.group_id)
        .outerjoin(User, col(User.id) == Invitation.inviter_id)
        .where(*has_token(token))
    )
    row = (await db.exec(statement)).one_or_none()
    if row is None:
        raise errors.InvitationBadToken
    invitation, group_name, inviter_name, is_for_viewer = row
    if not is_for_viewer:
        raise errors.InvitationOtherAddress
    return MailedInvitation(
        group=InvitingGroup(id=invitation.group_id, name=group_name),
        role=invitation.role,
        note=invitation.note,
        inviter_name=inviter_name,
        email=viewer.email if viewer else mask_email(invitation.email) if invitation.email else None,
        expires_at=invitation.expires_at,
    )


def _is_for(user: User) -> ColumnElement[bool]:
    return func.coalesce(has_email(user.email), col(Invitation.user_id) == user.id)
