"""Answers to invitations: the invited user accepts or declines, by the mailed token or from their own list.

One DELETE ends an invitation, so that only one of several concurrent answers counts.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, literal, or_
from sqlmodel import col, delete, exists, func, select

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.audit.log import Action, record
from accounts.domain.groups.access import get_group
from accounts.domain.groups.membership import add_member
from accounts.domain.identity.user_adapter import UserAdapter
from accounts.domain.invitations.store import has_token, has_token_hash
from accounts.domain.opaque_tokens import hash_token
from accounts.domain.people import lock_user, require_person
from accounts.models import Invitation, Role, User, UserGroup
from accounts.models.invitations import IS_OPEN, has_email
from accounts.schemas.groups import GroupRead

Conditions = tuple[ColumnElement[bool], ...]


class OwnInvitationManager:
    """Operations on the invitations that a user has received. Methods run in the caller's transaction."""

    def __init__(self, db: Session) -> None:
        self.db = db

    async def accept(self, invitation_id: int, user: User) -> GroupRead:
        """Join the group of an invitation to the user, by id or verified address. A member keeps their role.

        Raises:
            InvitationNotFound: the user has no such open invitation.
            UserNotFound: the user was deleted or deactivated meanwhile.
            NotForServiceAccounts: the user is a service account.

        """
        user = await lock_user(self.db, user)
        group_id = await _join(self.db, user, (col(Invitation.id) == invitation_id, sent_to(user), IS_OPEN))
        if group_id is None:
            raise errors.InvitationNotFound
        return await get_group(self.db, group_id, user)

    async def accept_token(self, token: str, user: User) -> GroupRead:
        """Join the group of an invitation by its token. One for an email address also verifies it.

        Raises:
            InvitationBadToken: there is no open invitation with this token.
            InvitationOtherAddress: the invitation was sent to another address or user; it stays open.
            UserNotFound: the user was deleted or deactivated meanwhile.
            NotForServiceAccounts: the user is a service account.

        """
        user = await lock_user(self.db, user)
        return await get_group(self.db, await accept_token(self.db, hash_token(token), user), user)

    async def decline(self, invitation_id: int, user: User) -> str:
        """Decline an invitation to the user, by id or verified address, and return the group's name.

        Raises:
            InvitationNotFound: the user has no such open invitation.

        """
        group_name = await self._decline((col(Invitation.id) == invitation_id, sent_to(user), IS_OPEN), user)
        if group_name is None:
            raise errors.InvitationNotFound
        return group_name

    async def decline_token(self, token: str) -> None:
        """Decline an invitation by its token, without an account.

        Raises:
            InvitationBadToken: there is no open invitation with this token.

        """
        if await self._decline(has_token(token)) is None:
            raise errors.InvitationBadToken

    async def _decline(self, conditions: Conditions, user: User | None = None) -> str | None:
        deleted = await _delete(self.db, conditions)
        if deleted is None:
            return None
        group_id, role, group_name = deleted
        user_id = user.id if user else None
        await record(self.db, Action.INVITATION_DECLINED, user_id=user_id, group_id=group_id, role=role)
        return group_name


async def require_invitation(db: Session, token_hash: bytes, email: str) -> None:
    """Check that a token belongs to an open invitation to ``email``, without using it.

    Raises:
        InvitationBadToken: there is no open invitation with this token.
        InvitationOtherAddress: the invitation was sent to another address.

    """
    if refusal := await _find_refusal(db, token_hash, email):
        raise refusal


async def is_invited(db: Session, email: str) -> bool:
    """Return whether an email address has an open invitation."""
    return bool(await db.scalar(select(exists().where(has_email(email), IS_OPEN))))


async def accept_token(db: Session, token_hash: bytes, user: User) -> int:
    """Join the group of an invitation by its token. If it is for an email address, mark the address as verified.

    The caller has locked the user, or has just stored them.

    Returns:
        The group's id.

    Raises:
        InvitationBadToken: there is no open invitation with this token.
        InvitationOtherAddress: the invitation was sent to another address or user; it stays open.

    """
    for_address, for_user = has_email(user.email), col(Invitation.user_id) == user.id
    group_id = await _join(db, user, (*has_token_hash(token_hash), for_address))
    if group_id is not None:
        await UserAdapter(db).update(user, {"is_verified": True})
        return group_id
    # This token may have been mailed to a previous address of the user, so it verifies nothing.
    group_id = await _join(db, user, (*has_token_hash(token_hash), for_user))
    if group_id is None:
        raise await _find_refusal(db, token_hash, user.email) or errors.InvitationBadToken
    return group_id


async def _find_refusal(db: Session, token_hash: bytes, email: str) -> errors.Refusal | None:
    statement = select(func.coalesce(has_email(email), False)).where(*has_token_hash(token_hash))
    matches = (await db.exec(statement)).one_or_none()
    if matches is None:
        return errors.InvitationBadToken()
    return None if matches else errors.InvitationOtherAddress()


async def _join(db: Session, user: User, conditions: Conditions) -> int | None:
    """Turn an invitation into a membership of a locked user; return the group's id, or None without an invitation."""
    require_person(user)
    invited_to = select(Invitation.group_id).where(*conditions)
    await db.exec(select(UserGroup.id).where(col(UserGroup.id).in_(invited_to)).with_for_update(key_share=True))
    deleted = await _delete(db, conditions)
    if deleted is None:
        return None
    group_id, role, _ = deleted
    await add_member(db, group_id, user.id, role)
    await record(db, Action.INVITATION_ACCEPTED, user_id=user.id, group_id=group_id, role=role)
    return group_id


async def _delete(db: Session, conditions: Conditions) -> tuple[int, Role, str] | None:
    """Delete an invitation. Return the group's id, the role and the group's name, or None without an invitation."""
    group_name = select(UserGroup.name).where(col(UserGroup.id) == Invitation.group_id).scalar_subquery()
    columns: Any = (col(Invitation.group_id), col(Invitation.role), group_name)
    deleted = (await db.exec(delete(Invitation).where(*conditions).returning(*columns))).one_or_none()
    return (deleted[0], Role(deleted[1]), deleted[2]) if deleted else None


def sent_to(user: User) -> ColumnElement[bool]:
    """Return the SQL condition that an invitation is for a user, by id or by the user's verified email address."""
    return or_(col(Invitation.user_id) == user.id, and_(has_email(user.email), literal(user.is_verified)))
