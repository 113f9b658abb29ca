"""A group as somebody finds it: with what they are to it, and so what they may do."""

from dataclasses import dataclass

from sqlmodel import col, select

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.groups.permissions import Act, Standing, allows, require, standing_of
from accounts.models import Membership, Role, User, UserGroup, Visibility


@dataclass(frozen=True, slots=True)
class Access:
    """A group, and who asks: their role in it, if they have one, and their standing."""

    group: UserGroup
    role: Role | None
    standing: Standing

    def may(self, act: Act) -> bool:
        """Look an act up in the table."""
        return allows(act, self.standing, Visibility(self.group.visibility))

    def require(self, act: Act) -> None:
        """Refuse what the table does not allow.

        Raises:
            GroupNotFound: for whom may not even see it, there is no such group.
            GroupForbidden: it takes more than the caller is.

        """
        require(act, self.standing, Visibility(self.group.visibility))


async def find(session: Session, group_id: int, viewer: User | None, act: Act = Act.SEE) -> Access:
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
    group, role = (await session.exec(statement)).one_or_none() or (None, None)
    return _required(group, Role(role) if role else None, viewer, act)


async def hold(session: Session, group_id: int, viewer: User, act: Act = Act.SEE) -> Access:
    """Find a group for changing it: until the transaction ends, nobody else changes it or who belongs to it.

    Who needs users locked as well locks them before (``lock``): users, then groups, each by their ids.

    Raises:
        GroupNotFound: there is none that the viewer may see.
        GroupForbidden: it takes more than the viewer is.

    """
    locked = select(UserGroup).where(UserGroup.id == group_id).with_for_update(key_share=True)
    group = (await session.exec(locked, execution_options={"populate_existing": True})).one_or_none()
    # Asked only now: whoever had the lock before may have changed it.
    return _required(group, await role_of(session, group_id, viewer), viewer, act)


async def lock(session: Session, user: User) -> User:
    """Lock a user, and read them anew: until the transaction ends, they are neither changed nor deleted.

    Raises:
        UserNotFound: they were deleted or deactivated meanwhile.

    """
    statement = select(User).where(col(User.id) == user.id, col(User.is_active)).with_for_update(key_share=True)
    locked = (await session.exec(statement, execution_options={"populate_existing": True})).one_or_none()
    if locked is None:
        raise errors.UserNotFound
    return locked


async def role_of(session: Session, group_id: int, user: User) -> Role | None:
    """Look up as what somebody belongs to a group, if at all."""
    membership = select(Membership.role).where(col(Membership.group_id) == group_id, Membership.user_id == user.id)
    role = (await session.exec(membership)).one_or_none()
    return Role(role) if role else None


def _required(group: UserGroup | None, role: Role | None, viewer: User | None, act: Act) -> Access:
    if group is None:
        raise errors.GroupNotFound
    access = Access(group, role, standing_of(viewer, role))
    access.require(act)
    return access
