"""A group as somebody finds it: with what they are to it, and so what they may do."""

from dataclasses import dataclass

from sqlmodel import col, select

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.groups.permissions import Permission, Standing, allows, require, standing_of
from accounts.models import Membership, Role, User, UserGroup, Visibility


@dataclass(frozen=True, slots=True)
class GroupAccess:
    """A group, and who asks: their role in it, if they have one, and their standing."""

    group: UserGroup
    role: Role | None
    standing: Standing

    def may(self, act: Permission) -> bool:
        """Look an act up in the table."""
        return allows(act, self.standing, Visibility(self.group.visibility))

    def require(self, act: Permission) -> None:
        """Refuse what the table does not allow.

        Raises:
            GroupNotFound: for whom may not even see it, there is no such group.
            GroupForbidden: it takes more than the caller is.

        """
        require(act, self.standing, Visibility(self.group.visibility))


async def get_access(db: Session, group_id: int, viewer: User | None, act: Permission = Permission.SEE) -> GroupAccess:
    """Find a group for reading.

    Raises:
        GroupNotFound: there is none that the viewer may see.
        GroupForbidden: it takes more than the viewer is.

    """
    statement = (
        select(UserGroup, Membership.role)
        .outerjoin(
            Membership,
            (col(Membership.group_id) == UserGroup.id) & (col(Membership.user_id) == (viewer and viewer.id)),
        )
        .where(UserGroup.id == group_id)
    )
    group, role = (await db.exec(statement)).one_or_none() or (None, None)
    return _authorized(group, Role(role) if role else None, viewer, act)


async def lock_group(db: Session, group_id: int, viewer: User, act: Permission = Permission.SEE) -> GroupAccess:
    """Find a group for changing it: until the transaction ends, nobody else changes it or who belongs to it.

    Who needs users locked as well locks them before (``lock``): users, then groups, each by their ids.

    Raises:
        GroupNotFound: there is none that the viewer may see.
        GroupForbidden: it takes more than the viewer is.

    """
    locked = select(UserGroup).where(UserGroup.id == group_id).with_for_update(key_share=True)
    group = (await db.exec(locked, execution_options={"populate_existing": True})).one_or_none()
    # Asked only now: whoever had the lock before may have changed it.
    return _authorized(group, await get_role(db, group_id, viewer), viewer, act)


async def lock_user(db: Session, user: User) -> User:
    """Lock a user, and read them anew: until the transaction ends, they are neither changed nor deleted.

    Raises:
        UserNotFound: they were deleted or deactivated meanwhile.

    """
    statement = select(User).where(col(User.id) == user.id, col(User.is_active)).with_for_update(key_share=True)
    locked = (await db.exec(statement, execution_options={"populate_existing": True})).one_or_none()
    if locked is None:
        raise errors.UserNotFound
    return locked


async def get_role(db: Session, group_id: int, user: User) -> Role | None:
    """Look up as what somebody belongs to a group, if at all."""
    membership = select(Membership.role).where(col(Membership.group_id) == group_id, Membership.user_id == user.id)
    role = (await db.exec(membership)).one_or_none()
    return Role(role) if role else None


def _authorized(group: UserGroup | None, role: Role | None, viewer: User | None, act: Permission) -> GroupAccess:
    if group is None:
        raise errors.GroupNotFound
    access = GroupAccess(group, role, standing_of(viewer, role))
    access.require(act)
    return access
