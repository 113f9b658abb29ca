"""Inviting: sent, listed, resent and revoked by whoever may."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import update
from sqlmodel import col, delete, exists, func, select

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.audit.log import Action, record
from accounts.domain.groups.access import Access, find, hold, lock
from accounts.domain.groups.permissions import Act
from accounts.domain.identity import one_time_tokens
from accounts.domain.invitations.store import BY_ID, OPEN, Wanted, store
from accounts.domain.mail import outbox
from accounts.domain.mail.outbox import Letter
from accounts.models import Invitation, MailKind, Membership, Role, User
from accounts.models.identity import folded
from accounts.schemas.invitations import InvitationCreate, InvitationRead, Inviter
from accounts.schemas.pagination import Page, PageQuery


class InvitationManager:
    """Rules for whoever invites. Every method runs in the session's transaction, which somebody else ends.

    Each raises GroupNotFound or GroupForbidden when the table of permissions says no.
    """

    def __init__(self, session: Session, key: str) -> None:
        """``key`` makes tokens."""
        self.session = session
        self.key = key

    async def invite(self, group_id: int, wanted: InvitationCreate, actor: User) -> InvitationRead:
        """Invite an address and send it a token. Whether somebody has an account with it makes no difference.

        Raises:
            AlreadyMember: a member has the address.
            InvitationExists: the address is invited already; also when two callers race.
            UserNotFound: the actor was deleted or deactivated meanwhile.

        """
        await lock(self.session, actor)
        access = await hold(self.session, group_id, actor, Act.INVITE)
        _refuse_owners(access, wanted.role)
        if await self._is_member(group_id, wanted.email):
            raise errors.AlreadyMember
        row = Wanted(wanted.email, wanted.role, wanted.note, timedelta(wanted.expires_in_days))
        stored = await store(self.session, self.key, group_id, actor.id, [row])
        if not stored:
            raise errors.InvitationExists
        await record(self.session, Action.INVITATION_CREATED, group_id=group_id, role=wanted.role)
        return _read(stored[0], actor)

    async def list(self, group_id: int, viewer: User, query: PageQuery) -> Page[InvitationRead]:
        """List a group's open invitations, the oldest first.

        Raises:
            BadCursor: the cursor is none of this list's.

        """
        await find(self.session, group_id, viewer, Act.INVITE)
        page = await BY_ID.page(self.session, _open_in(group_id), query)
        return replace(page, rows=[_read(*row) for row in page.rows])

    async def address(self, group_id: int, invitation_id: int, actor: User) -> str:
        """Look up where an invitation would be resent to.

        Raises:
            InvitationNotFound: the group has no such open invitation.

        """
        access = await find(self.session, group_id, actor, Act.INVITE)
        invitation, _ = await self._one(access, invitation_id)
        return invitation.email

    async def resend(self, group_id: int, invitation_id: int, actor: User) -> InvitationRead:
        """Send a new token, good for as long as the one before was, which is dead from now on.

        Raises:
            InvitationNotFound: the group has no such open invitation.

        """
        access = await hold(self.session, group_id, actor, Act.INVITE)
        invitation, inviter = await self._one(access, invitation_id)
        letter = Letter(invitation.email, invitation_id=invitation.id)
        # Nothing but a token is ever changed, so that the time from the change on is what it was made for.
        values = {
            "token_hash": one_time_tokens.digest(one_time_tokens.derive(self.key, letter.id)),
            "expires_at": func.now() + (col(Invitation.expires_at) - col(Invitation.updated_at)),
            "updated_at": func.now(),
        }
        await self.session.exec(update(Invitation).where(col(Invitation.id) == invitation_id).values(values))
        await self.session.refresh(invitation)
        await record(self.session, Action.INVITATION_RESENT, group_id=group_id, role=invitation.role)
        await outbox.post(self.session, MailKind.INVITATION, [letter])
        return _read(invitation, inviter)

    async def revoke(self, group_id: int, invitation_id: int, actor: User) -> None:
        """End an invitation.

        Raises:
            InvitationNotFound: the group has no such open invitation.

        """
        access = await hold(self.session, group_id, actor, Act.INVITE)
        invitation, _ = await self._one(access, invitation_id)
        await self.session.exec(delete(Invitation).where(col(Invitation.id) == invitation_id))
        await record(self.session, Action.INVITATION_REVOKED, group_id=group_id, role=invitation.role)

    async def _one(self, access: Access, invitation_id: int) -> tuple[Invitation, User | None]:
        # Locked, since whoever declines does not hold the group.
        statement = _open_in(access.group.id).where(Invitation.id == invitation_id).with_for_update(of=Invitation)
        found = (await self.session.exec(statement, execution_options={"populate_existing": True})).one_or_none()
        if found is None:
            raise errors.InvitationNotFound
        _refuse_owners(access, found[0].role)
        return found[0], found[1]

    async def _is_member(self, group_id: int, email: str) -> bool:
        theirs = (col(Membership.group_id) == group_id, col(Membership.user_id) == User.id)
        return bool(await self.session.scalar(select(exists().where(*theirs, func.lower(User.email) == folded(email)))))


def _refuse_owners(access: Access, role: Role) -> None:
    if role is Role.OWNER:
        access.require(Act.HANDLE_OWNERS)


def _open_in(group_id: int) -> Any:
    """Select a group's open invitations, each with its inviter, if there still is one."""
    statement = select(Invitation, User).outerjoin(User, col(User.id) == Invitation.inviter_id)
    return statement.where(col(Invitation.group_id) == group_id, OPEN)


def _read(invitation: Invitation, inviter: User | None) -> InvitationRead:
    by = Inviter(id=inviter.id, display_name=inviter.display_name) if inviter else None
    return InvitationRead(**invitation.model_dump(), inviter=by)
