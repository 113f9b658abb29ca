"""Inviting: sent, listed, resent and revoked by whoever may."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import update
from sqlmodel import col, delete, exists, func, select

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.audit.log import Action, record
from accounts.domain.groups.access import GroupAccess, get_access, lock_group, lock_user
from accounts.domain.groups.permissions import Permission
from accounts.domain.identity import one_time_tokens
from accounts.domain.invitations.store import BY_ID, IS_OPEN, InvitationRequest, store_invitations
from accounts.domain.mail import outbox
from accounts.domain.mail.outbox import OutgoingMail
from accounts.models import Invitation, MailKind, Membership, Role, User
from accounts.models.identity import folded
from accounts.schemas.invitations import InvitationCreate, InvitationRead, Inviter
from accounts.schemas.pagination import Page, PageQuery


class InvitationManager:
    """Rules for whoever invites. Every method runs in the session's transaction, which somebody else ends.

    Each raises GroupNotFound or GroupForbidden when the table of permissions says no.
    """

    def __init__(self, db: Session, key: str) -> None:
        """``key`` makes tokens."""
        self.db = db
        self.key = key

    async def invite(self, group_id: int, wanted: InvitationCreate, actor: User) -> InvitationRead:
        """Invite an address and send it a token. Whether somebody has an account with it makes no difference.

        Raises:
            AlreadyMember: a member has the address.
            InvitationExists: the address is invited already; also when two callers race.
            UserNotFound: the actor was deleted or deactivated meanwhile.

        """
        await lock_user(self.db, actor)
        access = await lock_group(self.db, group_id, actor, Permission.INVITE)
        _refuse_owners(access, wanted.role)
        if await self._is_member(group_id, wanted.email):
            raise errors.AlreadyMember
        row = InvitationRequest(wanted.email, wanted.role, wanted.note, timedelta(wanted.expires_in_days))
        stored = await store_invitations(self.db, self.key, group_id, actor.id, [row])
        if not stored:
            raise errors.InvitationExists
        await record(self.db, Action.INVITATION_CREATED, group_id=group_id, role=wanted.role)
        return _read(stored[0], actor)

    async def list(self, group_id: int, viewer: User, query: PageQuery) -> Page[InvitationRead]:
        """List a group's open invitations, the oldest first.

        Raises:
            BadCursor: the cursor is none of this list's.

        """
        await get_access(self.db, group_id, viewer, Permission.INVITE)
        page = await BY_ID.page(self.db, _open_in(group_id), query)
        return replace(page, rows=[_read(*row) for row in page.rows])

    async def address(self, group_id: int, invitation_id: int, actor: User) -> str:
        """Look up where an invitation would be resent to.

        Raises:
            InvitationNotFound: the group has no such open invitation.

        """
        access = await get_access(self.db, group_id, actor, Permission.INVITE)
        invitation, _ = await self._one(access, invitation_id)
        return invitation.email

    async def resend(self, group_id: int, invitation_id: int, actor: User) -> InvitationRead:
        """Send a new token, good for as long as the one before was, which is dead from now on.

        Raises:
            InvitationNotFound: the group has no such open invitation.

        """
        access = await lock_group(self.db, group_id, actor, Permission.INVITE)
        invitation, inviter = await self._one(access, invitation_id)
        letter = OutgoingMail(invitation.email, invitation_id=invitation.id)
        # Nothing but a token is ever changed, so that the time from the change on is what it was made for.
        values = {
            "token_hash": one_time_tokens.hash_token(one_time_tokens.derive_token(self.key, letter.id)),
            "expires_at": func.now() + (col(Invitation.expires_at) - col(Invitation.updated_at)),
            "updated_at": func.now(),
        }
        await self.db.exec(update(Invitation).where(col(Invitation.id) == invitation_id).values(values))
        await self.db.refresh(invitation)
        await record(self.db, Action.INVITATION_RESENT, group_id=group_id, role=invitation.role)
        await outbox.enqueue(self.db, MailKind.INVITATION, [letter])
        return _read(invitation, inviter)

    async def revoke(self, group_id: int, invitation_id: int, actor: User) -> None:
        """End an invitation.

        Raises:
            InvitationNotFound: the group has no such open invitation.

        """
        access = await lock_group(self.db, group_id, actor, Permission.INVITE)
        invitation, _ = await self._one(access, invitation_id)
        await self.db.exec(delete(Invitation).where(col(Invitation.id) == invitation_id))
        await record(self.db, Action.INVITATION_REVOKED, group_id=group_id, role=invitation.role)

    async def _one(self, access: GroupAccess, invitation_id: int) -> tuple[Invitation, User | None]:
        # Locked, since whoever declines does not hold the group.
        statement = _open_in(access.group.id).where(Invitation.id == invitation_id).with_for_update(of=Invitation)
        found = (await self.db.exec(statement, execution_options={"populate_existing": True})).one_or_none()
        if found is None:
            raise errors.InvitationNotFound
        _refuse_owners(access, found[0].role)
        return found[0], found[1]

    async def _is_member(self, group_id: int, email: str) -> bool:
        theirs = (col(Membership.group_id) == group_id, col(Membership.user_id) == User.id)
        return bool(await self.db.scalar(select(exists().where(*theirs, func.lower(User.email) == folded(email)))))


def _refuse_owners(access: GroupAccess, role: Role) -> None:
    if role is Role.OWNER:
        access.require(Permission.MANAGE_OWNERS)


def _open_in(group_id: int) -> Any:
    """Select a group's open invitations, each with its inviter, if there still is one."""
    statement = select(Invitation, User).outerjoin(User, col(User.id) == Invitation.inviter_id)
    return statement.where(col(Invitation.group_id) == group_id, IS_OPEN)


def _read(invitation: Invitation, inviter: User | None) -> InvitationRead:
    by = Inviter(id=inviter.id, display_name=inviter.display_name) if inviter else None
    return InvitationRead(**invitation.model_dump(), inviter=by)
