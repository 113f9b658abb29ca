"""A group's invitations, for the members who may invite: create, list, resend and revoke.

Sending requires a verified email address, so that the sender of an invitation is known.
"""

import uuid
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, update
from sqlmodel import col, delete, exists, func, select

from accounts.db.session import Session
from accounts.db.statements import POPULATE_EXISTING
from accounts.domain import errors
from accounts.domain.audit.log import Action, record
from accounts.domain.groups.access import GroupAccess, get_access, lock_group, require_for_role
from accounts.domain.groups.permissions import Permission
from accounts.domain.identity.mailed_tokens import derive_token
from accounts.domain.invitations.store import InvitationRequest, store_invitations
from accounts.domain.mail import outbox
from accounts.domain.mail.outbox import OutgoingMail
from accounts.domain.opaque_tokens import hash_token
from accounts.domain.people import require_verified_email
from accounts.models import Invitation, MailKind, Membership, Role, User
from accounts.models.base import folded
from accounts.models.identity import is_service_email
from accounts.models.invitations import IS_OPEN
from accounts.schemas.invitations import InvitationCreate, InvitationRead, Inviter

COUNTED = 1000  # of more open invitations than this, pages say so


class InvitationManager:
    """Operations on a group's invitations. Methods run in the caller's transaction.

    Every method raises GroupNotFound or GroupForbidden if the permissions do not allow it. Those that change something
    raise UserNotFound if the actor was deleted or deactivated meanwhile.
    """

    def __init__(self, db: Session, key: str) -> None:
        """``key`` derives the tokens."""
        self.db = db
        self.key = key

    async def create(self, group_id: int, invitation: InvitationCreate, actor: User) -> InvitationRead:
        """Invite an email address and send it a token, whether or not it has an account.

        Raises:
            AlreadyMember: a member has this address.
            InvitationExists: the address has an open invitation, or gets one concurrently.
            VerifiedEmailRequired: the actor's email address is not verified.
            NotForServiceAccounts: the actor, or the invited user, is a service account.
            ReauthenticationRequired: the invitation is for an owner, and the actor's sign-in is not recent.

        """
        lifetime = timedelta(invitation.expires_in_days)
        request = InvitationRequest(invitation.email, invitation.role, invitation.note, lifetime)
        return await self._create(group_id, request, actor, func.lower(User.email) == folded(invitation.email))

    async def create_for_user(self, group_id: int, user_id: uuid.UUID, role: Role, actor: User) -> InvitationRead:
        """Invite a user by id. The actor does not learn the user's email address, nor whether the user is active.

        Raises:
            UserNotFound: there is no such user.
            AlreadyMember: the user is a member.
            InvitationExists: the user has an open invitation by id, or gets one concurrently.
            VerifiedEmailRequired: the actor's email address is not verified.
            NotForServiceAccounts: the actor, or the user, is a service account.
            ReauthenticationRequired: the invitation is for an owner, and the actor's sign-in is not recent.

        """
        # The lock is the one that the foreign key takes.
        statement = select(User.email).where(col(User.id) == user_id).with_for_update(read=True, key_share=True)
        email = await self.db.scalar(statement)
        if email is None:
            raise errors.UserNotFound
        return await self._create(
            group_id, InvitationRequest(email, role, user_id=user_id), actor, col(User.id) == user_id
        )

    async def _create(
        self, group_id: int, request: InvitationRequest, actor: User, invited: ColumnElement[bool]
    ) -> InvitationRead:
        access = await lock_group(self.db, group_id, actor, Permission.INVITE)
        await require_for_role(self.db, access, request.role, actor)
        require_verified_email(actor)
        if is_service_email(request.email):
            raise errors.NotForServiceAccounts
        if await self._is_member(group_id, invited):
            raise errors.AlreadyMember
        stored = await store_invitations(self.db, self.key, group_id, actor.id, [request])
        if not stored:
            raise errors.InvitationExists
        await record(self.db, Action.INVITATION_CREATED, group_id=group_id, role=request.role)
        return _read(Invitation.model_validate(stored[0]._asdict()), actor)

    async def count_open(self, group_id: int, viewer: User) -> int:
        """Count a group's open invitations, up to ``COUNTED`` and one."""
        await get_access(self.db, group_id, viewer, Permission.INVITE)
        rows = select(Invitation.id).where(col(Invitation.group_id) == group_id, IS_OPEN).limit(COUNTED + 1).subquery()
        return (await self.db.exec(select(func.count()).select_from(rows))).one()

    async def resend(self, group_id: int, invitation_id: int, actor: User) -> InvitationRead:
        """Send a new token with the same lifetime. The previous token becomes invalid.

        Raises:
            InvitationNotFound: the group has no such open invitation.
            VerifiedEmailRequired: the actor's email address is not verified.
            NotForServiceAccounts: the actor is a service account.

        """
        access = await lock_group(self.db, group_id, actor, Permission.INVITE)
        require_verified_email(actor)
        invitation, inviter = await self._lock(access, invitation_id)
        email = invitation.email or await self.db.scalar(select(User.email).where(col(User.id) == invitation.user_id))
        if email is None:  # the user was deleted concurrently
            raise errors.InvitationNotFound
        mail = OutgoingMail(email, invitation_id=invitation.id)
        # Only resending updates the row, so ``updated_at`` is when the previous token was created.
        values = {
            "token_hash": hash_token(derive_token(self.key, mail.id)),
            "expires_at": func.now() + (col(Invitation.expires_at) - col(Invitation.updated_at)),
            "updated_at": func.now(),
        }
        await self.db.exec(update(Invitation).where(col(Invitation.id) == invitation_id).values(values))
        await self.db.refresh(invitation)
        await record(self.db, Action.INVITATION_RESENT, group_id=group_id, role=invitation.role)
        await outbox.enqueue(self.db, MailKind.INVITATION, [mail])
        return _read(invitation, inviter)

    async def revoke(self, group_id: int, invitation_id: int, actor: User) -> None:
        """Delete an invitation; its token becomes invalid.

        Raises:
            InvitationNotFound: the group has no such open invitation.

        """
        access = await lock_group(self.db, group_id, actor, Permission.INVITE)
        invitation, _ = await self._lock(access, invitation_id)
        await self.db.exec(delete(Invitation).where(col(Invitation.id) == invitation_id))
        await record(self.db, Action.INVITATION_REVOKED, group_id=group_id, role=invitation.role)

    async def _lock(self, access: GroupAccess, invitation_id: int) -> tuple[Invitation, User | None]:
        """Lock an open invitation: declining deletes it without locking the group. Return it with its inviter."""
        statement = _select_open(access.group.id).where(Invitation.id == invitation_id).with_for_update(of=Invitation)
        row = (await self.db.exec(statement, execution_options=POPULATE_EXISTING)).one_or_none()
        if row is None:
            raise errors.InvitationNotFound
        invitation, inviter = row
        access.require_for_role(invitation.role)
        return invitation, inviter

    async def _is_member(self, group_id: int, is_user: ColumnElement[bool]) -> bool:
        conditions = (col(Membership.group_id) == group_id, col(Membership.user_id) == User.id, is_user)
        return bool(await self.db.scalar(select(exists().where(*conditions))))


def _select_open(group_id: int) -> Any:
    """Select a group's open invitations, each with its inviter, or None after the inviter's deletion."""
    statement = select(Invitation, User).outerjoin(User, col(User.id) == Invitation.inviter_id)
    return statement.where(col(Invitation.group_id) == group_id, IS_OPEN)


def _read(invitation: Invitation, inviter: User | None) -> InvitationRead:
    inviter_read = Inviter(id=inviter.id, display_name=inviter.display_name) if inviter else None
    return InvitationRead(**invitation.model_dump(), inviter=inviter_read)
