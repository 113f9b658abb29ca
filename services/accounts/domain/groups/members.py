"""Who belongs to a group, and as what. Changes of one group happen one after the other: each holds the group."""

import uuid

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased
from sqlmodel import col, delete, exists, select

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.audit.log import Action, record
from accounts.domain.groups.access import GroupAccess, get_role, lock_group
from accounts.domain.groups.member_list import to_member_read
from accounts.domain.groups.permissions import Permission
from accounts.domain.last_owner import require_other_owner
from accounts.domain.mail import outbox
from accounts.models import MailKind, Membership, Role, User
from accounts.schemas.groups import MemberRead


async def add_member(db: Session, group_id: int, user_id: uuid.UUID, role: Role) -> bool:
    """Make a user a member; leave a membership that exists as it is, and return False."""
    values = {"group_id": group_id, "user_id": user_id, "role": role}
    statement = insert(Membership).values(values).on_conflict_do_nothing().returning(col(Membership.user_id))
    added = (await db.exec(statement)).first() is not None
    if added:
        await record(db, Action.MEMBERSHIP_CREATED, user_id=user_id, group_id=group_id, role=role)
    return added


class MemberManager:
    """Changes of memberships. Every method runs in the session's transaction, which somebody else ends.

    Each raises GroupNotFound or GroupForbidden when the table of permissions says no.
    """

    def __init__(self, db: Session) -> None:
        self.db = db

    async def put(self, group_id: int, user_id: uuid.UUID, role: Role, actor: User) -> tuple[MemberRead, bool]:
        """Let a user have a role in a group, and say whether they were no member before.

        Raises:
            UserNotFound: there is no such user whom the actor may add.
            LastOwner: the group would have none.
            UserInactive: somebody who cannot sign in cannot own a group.

        """
        user, access = await self._target(group_id, user_id, actor)
        current = user and await get_role(self.db, group_id, user)
        if user and current:
            await self._set(access, user, current, role)
            return await self._one(access, user), False
        access.require(Permission.ADD_MEMBERS)
        if role is Role.OWNER:
            access.require(Permission.MANAGE_OWNERS)
        if not (user and user.is_active and (access.may(Permission.ADD_ANYONE) or await self._know(actor, user))):
            raise errors.UserNotFound
        await add_member(self.db, group_id, user.id, role)
        return await self._one(access, user), True

    async def change(self, group_id: int, user_id: uuid.UUID, role: Role, actor: User) -> MemberRead:
        """Give a member another role.

        Raises:
            MemberNotFound: there is no such member.
            LastOwner: the group would have none.
            UserInactive: somebody who cannot sign in cannot own a group.

        """
        user, access = await self._target(group_id, user_id, actor)
        access.require(Permission.CHANGE_ROLES)
        user, current = await self._member(access, user)
        await self._set(access, user, current, role)
        return await self._one(access, user)

    async def remove(self, group_id: int, user_id: uuid.UUID, actor: User) -> None:
        """Remove a member, or leave.

        Raises:
            MemberNotFound: there is no such member.
            LastOwner: the group would have none.

        """
        user, access = await self._target(group_id, user_id, actor)
        leaving = user_id == actor.id
        access.require(Permission.LEAVE if leaving else Permission.REMOVE_MEMBERS)
        user, current = await self._member(access, user)
        if current is Role.OWNER:
            access.require(Permission.MANAGE_OWNERS)
            await require_other_owner(self.db, user, access.group)
        theirs = (col(Membership.group_id) == group_id, col(Membership.user_id) == user.id)
        await self.db.exec(delete(Membership).where(*theirs))
        await record(self.db, Action.MEMBERSHIP_DELETED, user_id=user.id, group_id=group_id, role=current)

    async def transfer(self, group_id: int, user_id: uuid.UUID, actor: User) -> MemberRead:
        """Make a member an owner in place of the actor, who becomes an admin.

        Raises:
            MemberNotFound: there is no such member.
            UserInactive: somebody who cannot sign in cannot own a group.

        """
        user, access = await self._target(group_id, user_id, actor)
        access.require(Permission.TRANSFER)
        user, current = await self._member(access, user)
        await self._set(access, user, current, Role.OWNER)
        if access.role is Role.OWNER and user.id != actor.id:
            await self._set(access, actor, Role.OWNER, Role.ADMIN)
        return await self._one(access, user)

    async def _target(self, group_id: int, user_id: uuid.UUID, actor: User) -> tuple[User | None, GroupAccess]:
        # Locked, so as not to be deactivated or deleted before this ends; users before groups.
        statement = select(User).where(col(User.id) == user_id).with_for_update(read=True)
        user = (await self.db.exec(statement, execution_options={"populate_existing": True})).one_or_none()
        return user, await lock_group(self.db, group_id, actor)

    async def _member(self, access: GroupAccess, user: User | None) -> tuple[User, Role]:
        role = user and await get_role(self.db, access.group.id, user)
        if not (user and role):
            raise errors.MemberNotFound
        return user, role

    async def _set(self, access: GroupAccess, user: User, current: Role, role: Role) -> None:
        access.require(Permission.CHANGE_ROLES)
        if current is role:
            return
        if Role.OWNER in {current, role}:
            access.require(Permission.MANAGE_OWNERS)
        if role is Role.OWNER and not user.is_active:
            raise errors.UserInactive
        if current is Role.OWNER:
            await require_other_owner(self.db, user, access.group)
        theirs = (col(Membership.group_id) == access.group.id, col(Membership.user_id) == user.id)
        await self.db.exec(update(Membership).where(*theirs).values(role=role))
        await record(
            self.db, Action.MEMBERSHIP_CHANGED, user_id=user.id, group_id=access.group.id, role=role, was=current
        )
        if user.id != self.db.actor_id:
            detail = {"group_name": access.group.name, "role": role, "was": current}
            await outbox.enqueue_to_user(self.db, MailKind.ROLE_CHANGED, user, **detail)

    async def _know(self, actor: User, user: User) -> bool:
        """Tell whether two share a group. Who were added by strangers would have shown them their address."""
        mine, theirs = aliased(Membership), aliased(Membership)
        shared = exists().where(
            col(mine.user_id) == actor.id, col(theirs.user_id) == user.id, col(mine.group_id) == theirs.group_id
        )
        return bool(await self.db.scalar(select(shared)))

    async def _one(self, access: GroupAccess, user: User) -> MemberRead:
        key = (access.group.id, user.id)
        membership = await self.db.get_one(Membership, key, populate_existing=True)
        return to_member_read(access, membership, user)
