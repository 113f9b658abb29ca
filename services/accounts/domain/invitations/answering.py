"""Answers to invitations: whoever was sent the token, or has proven the address, accepts or declines.

What ends an invitation is one statement, so that of several answers at once one counts.
"""

from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, literal
from sqlmodel import col, delete, func, select

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.audit.log import Action, record
from accounts.domain.groups.access import lock_user
from accounts.domain.groups.groups import GroupManager
from accounts.domain.groups.membership import add_member
from accounts.domain.identity import one_time_tokens
from accounts.domain.identity.user_adapter import UserAdapter
from accounts.domain.invitations.store import BY_ID, IS_OPEN
from accounts.models import Invitation, Role, User, UserGroup
from accounts.models.identity import folded
from accounts.schemas.groups import GroupRead
from accounts.schemas.invitations import InvitingGroup, OwnInvitationRead
from accounts.schemas.pagination import Page, PageQuery

Conditions = tuple[ColumnElement[bool], ...]


class AnswerManager:
    """Rules for the invited. Every method runs in the session's transaction, which somebody else ends."""

    def __init__(self, db: Session) -> None:
        self.db = db

    async def list(self, user: User, query: PageQuery) -> Page[OwnInvitationRead]:
        """List the open invitations of a user's address, the oldest first; none as long as it is not verified.

        Raises:
            BadCursor: the cursor is none of this list's.

        """
        statement = (
            select(Invitation, UserGroup.name, User.display_name)
            .join(UserGroup, col(UserGroup.id) == Invitation.group_id)
            .outerjoin(User, col(User.id) == Invitation.inviter_id)
            .where(*_addressed_to(user))
        )
        page = await BY_ID.page(self.db, statement, query)
        return replace(page, rows=[_read(*row) for row in page.rows])

    async def require(self, token: str, email: str) -> None:
        """See that a token is one of an open invitation of an address, and leave it usable.

        Raises:
            InvitationBadToken: the token is good for nothing.
            InvitationOtherAddress: the token was sent to another address.

        """
        theirs = (await self.db.exec(select(_is_of(email)).where(*_with(token)))).one_or_none()
        if theirs is None:
            raise errors.InvitationBadToken
        if not theirs:
            raise errors.InvitationOtherAddress

    async def accept(self, invitation_id: int, user: User) -> GroupRead:
        """Become a member by an invitation of the user's verified address; whoever is one already stays what they are.

        Raises:
            InvitationNotFound: there is no such open invitation.
            UserNotFound: the user was deleted or deactivated meanwhile.

        """
        user = await lock_user(self.db, user)
        group_id = await self._join(user, (col(Invitation.id) == invitation_id, *_addressed_to(user)))
        if group_id is None:
            raise errors.InvitationNotFound
        return await GroupManager(self.db).get(group_id, user)

    async def accept_token(self, token: str, user: User) -> GroupRead:
        """Become a member by the token of an invitation, which also proves the address that it was sent to.

        Raises:
            InvitationBadToken: the token is good for nothing.
            InvitationOtherAddress: the token was sent to another address than the user's, and stays usable.
            UserNotFound: the user was deleted or deactivated meanwhile.

        """
        user = await lock_user(self.db, user)
        await self.require(token, user.email)
        group_id = await self._join(user, _with(token))
        if group_id is None:
            raise errors.InvitationBadToken
        await UserAdapter(self.db).update(user, {"is_verified": True})
        return await GroupManager(self.db).get(group_id, user)

    async def accept_as_new_user(self, token: str, user: User) -> None:
        """Accept with a token that ``require`` has checked, for a user whom this transaction has created.

        Raises:
            InvitationBadToken: the invitation has ended meanwhile.

        """
        if not await self._join(user, _with(token)):
            raise errors.InvitationBadToken

    async def decline(self, invitation_id: int, user: User) -> None:
        """End an invitation of the user's verified address.

        Raises:
            InvitationNotFound: there is no such open invitation.

        """
        if not await self._decline((col(Invitation.id) == invitation_id, *_addressed_to(user)), user):
            raise errors.InvitationNotFound

    async def decline_token(self, token: str) -> None:
        """End an invitation by its token, whoever has it.

        Raises:
            InvitationBadToken: the token is good for nothing.

        """
        if not await self._decline(_with(token)):
            raise errors.InvitationBadToken

    async def _join(self, user: User, its: Conditions) -> int | None:
        """Turn an invitation into a membership of a locked user; return the group's id, or None without invitation."""
        into = col(UserGroup.id).in_(select(Invitation.group_id).where(*its))
        await self.db.exec(select(UserGroup.id).where(into).with_for_update(key_share=True))
        ended = await self._end(its)
        if ended is None:
            return None
        group_id, role = ended
        await add_member(self.db, group_id, user.id, role)
        await record(self.db, Action.INVITATION_ACCEPTED, user_id=user.id, group_id=group_id, role=role)
        return group_id

    async def _decline(self, its: Conditions, user: User | None = None) -> bool:
        ended = await self._end(its)
        if ended is None:
            return False
        group_id, role = ended
        user_id = user.id if user else None
        await record(self.db, Action.INVITATION_DECLINED, user_id=user_id, group_id=group_id, role=role)
        return True

    async def _end(self, its: Conditions) -> tuple[int, Role] | None:
        statement: Any = delete(Invitation).where(*its).returning(col(Invitation.group_id), col(Invitation.role))
        ended = (await self.db.exec(statement)).one_or_none()
        return (ended[0], Role(ended[1])) if ended else None


def _with(token: str) -> Conditions:
    return col(Invitation.token_hash) == one_time_tokens.hash_token(token), IS_OPEN


def _addressed_to(user: User) -> Conditions:
    return _is_of(user.email), IS_OPEN, literal(user.is_verified)


def _is_of(email: str) -> ColumnElement[bool]:
    return func.lower(Invitation.email) == folded(email)


def _read(invitation: Invitation, group_name: str, inviter_name: str | None) -> OwnInvitationRead:
    group = InvitingGroup(id=invitation.group_id, name=group_name)
    return OwnInvitationRead(**invitation.model_dump(), group=group, inviter_name=inviter_name)
