"""Members and their roles. Each change locks the group, so that changes of one group are serialised."""

import uuid
from typing import Any

from sqlalchemy import BindParameter, Row, bindparam, delete, or_, update
from sqlmodel import col, select

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.audit.log import Action, RecordedChange, event_columns
from accounts.domain.groups.access import GroupAccess, get_access, lock_member, require_for_role
from accounts.domain.groups.membership import add_member
from accounts.domain.groups.permissions import Permission
from accounts.domain.last_owner import has_other_owner
from accounts.domain.mail import outbox
from accounts.domain.people import require_person, require_recent_sign_in
from accounts.models import MailKind, Membership, Role, User
from accounts.schemas.groups import MemberRead

GROUP_ID: BindParameter[int] = bindparam("group_id")
USER_ID: BindParameter[uuid.UUID] = bindparam("user_id")
# A membership of a locked group, but not the one of its last active owner.
UNLESS_LAST_OWNER = (
    col(Membership.group_id) == GROUP_ID,
    col(Membership.user_id) == USER_ID,
    or_(col(Membership.role) != Role.OWNER, has_other_owner(GROUP_ID, USER_ID)),
)
CHANGE_ROLE = RecordedChange(
    update(Membership)
    .where(*UNLESS_LAST_OWNER)
    .values(role=bindparam("role"))
    .returning(col(Membership.role), col(Membership.joined_at))
)
DELETE = RecordedChange(delete(Membership).where(*UNLESS_LAST_OWNER).returning(col(Membership.user_id)))


class MemberManager:
    """Operations on members. Methods run in the caller's transaction.

    Every method raises GroupNotFound or GroupForbidden if the actor lacks the permission, and UserNotFound if the actor
    was deleted or deactivated meanwhile. Those that add, demote or remove an owner other than the actor raise
    ReauthenticationRequired if the actor's sign-in is not recent.
    """

    def __init__(self, db: Session) -> None:
        self.db = db

    async def get(self, group_id: int, user_id: uuid.UUID, viewer: User) -> MemberRead:
        """Get a member as the viewer sees the member in the list.

        Raises:
            MemberNotFound: there is no such member.

        """
        access = await get_access(self.db, group_id, viewer, Permission.LIST_MEMBERS)
        conditions = col(Membership.group_id) == group_id, col(Membership.user_id) == user_id
        statement = select(Membership, User).join(User, col(User.id) == Membership.user_id).where(*conditions)
        row = (await self.db.exec(statement)).one_or_none()
        if row is None:
            raise errors.MemberNotFound
        return _to_read(access, *row)

    async def put(self, group_id: int, user_id: uuid.UUID, role: Role, actor: User) -> tuple[MemberRead, bool] | None:
        """Set a member's role, or add a user with a role. The group's own service accounts need no invitation.

        Returns:
            The member, and whether the user was added; None if the user is no member, and the actor may only invite.

        Raises:
            UserNotFound: there is no such user, or the user is inactive.
            LastOwner: the group would lose its last active owner.
            UserInactive: an inactive user cannot become an owner.
            NotForServiceAccounts: a service account cannot, either.

        """
        access, user, membership = await lock_member(self.db, group_id, user_id, actor)
        if user and membership:
            return await self._set_role(access, user, membership, role, actor), False
        access.require(Permission.INVITE)
        await require_for_role(self.db, access, role, actor)
        is_own = user is not None and user.owner_group_id == group_id
        if not (access.may(Permission.ADD_MEMBERS) or is_own):
            return None
        if not (user and user.is_active):
            raise errors.UserNotFound
        if role is Role.OWNER:
            require_person(user)
        await add_member(self.db, group_id, user.id, role)
        return _to_read(access, await self.db.get_one(Membership, (group_id, user.id)), user), True

    async def change(self, group_id: int, user_id: uuid.UUID, role: Role, actor: User) -> MemberRead:
        """Change a member's role.

        Raises:
            MemberNotFound: there is no such member.
            LastOwner: the group would lose its last active owner.
            UserInactive: an inactive user cannot become an owner.
            NotForServiceAccounts: a service account cannot, either.

        """
        user, access, membership = await self._lock_member(group_id, user_id, actor, Permission.CHANGE_ROLES)
        return await self._set_role(access, user, membership, role, actor)

    async def remove(self, group_id: int, user_id: uuid.UUID, actor: User) -> None:
        """Remove a member. Members may remove themselves: they leave.

        Raises:
            MemberNotFound: there is no such member.
            LastOwner: the group would lose its last active owner.

        """
        permission = Permission.LEAVE if user_id == actor.id else Permission.REMOVE_MEMBERS
        user, access, membership = await self._lock_member(group_id, user_id, actor, permission)
        role = Role(membership.role)
        if user_id != actor.id:
            await require_for_role(self.db, access, role, actor)
        event = event_columns(self.db, Action.MEMBERSHIP_DELETED, user_id=user.id, group_id=group_id, role=role)
        if not await DELETE.run(self.db, **event):
            raise errors.LastOwner([access.group])

    async def transfer(self, group_id: int, user_id: uuid.UUID, actor: User) -> MemberRead:
        """Make a member an owner. If the actor was an owner, the actor becomes an admin.

        Raises:
            MemberNotFound: there is no such member.
            UserInactive: an inactive user cannot become an owner.
            NotForServiceAccounts: a service account cannot, either.

        """
        user, access, membership = await self._lock_member(group_id, user_id, actor, Permission.TRANSFER)
        member = await self._set_role(access, user, membership, Role.OWNER, actor)
        if access.role is Role.OWNER and user.id != actor.id:
            own = await self.db.get_one(Membership, (group_id, actor.id))
            await self._set_role(access, actor, own, Role.ADMIN, actor)
        return member

    async def _lock_member(
        self, group_id: int, user_id: uuid.UUID, actor: User, permission: Permission
    ) -> tuple[User, GroupAccess, Membership]:
        access, user, membership = await lock_member(self.db, group_id, user_id, actor, permission)
        if not (user and membership):
            raise errors.MemberNotFound
        return user, access, membership

    async def _set_role(
        self, access: GroupAccess, user: User, membership: Membership, role: Role, actor: User
    ) -> MemberRead:
        access.require(Permission.CHANGE_ROLES)
        previous = Role(membership.role)
        if previous is role:
            return _to_read(access, membership, user)
        if Role.OWNER in {previous, role}:
            access.require(Permission.MANAGE_OWNERS)
            if role is Role.OWNER or user.id != actor.id:
                await require_recent_sign_in(self.db, actor)
        if role is Role.OWNER:
            require_person(user)
            if not user.is_active:
                raise errors.UserInactive
        event = event_columns(
            self.db, Action.MEMBERSHIP_CHANGED, user_id=user.id, group_id=access.group.id, role=role, was=previous
        )
        changed = await CHANGE_ROLE.run(self.db, role=role, **event)
        if not changed:
            raise errors.LastOwner([access.group])
        await self._notify(access, user, role, previous)
        return _to_read(access, changed[0], user)

    async def _notify(self, access: GroupAccess, user: User, role: Role, previous: Role) -> None:
        group = access.group
        if user.id != self.db.actor_id:
            detail = {"group_id": group.id, "group_name": group.name, "role": role, "was": previous, "by_user": True}
            await outbox.enqueue_notice(self.db, MailKind.ROLE_CHANGED, user, **detail)


def _to_read(access: GroupAccess, membership: Membership | Row[Any], user: User) -> MemberRead:
    return MemberRead(
        id=user.id,
        display_name=user.display_name,
        email=user.email if access.may(Permission.SEE_EMAILS) else None,
        role=Role(membership.role),
        joined_at=membership.joined_at,
    )
