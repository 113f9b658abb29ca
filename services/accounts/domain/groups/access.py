"""Access to one group: the group, the caller's role in it, and what the table of permissions allows the caller."""

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam
from sqlmodel import col, select

from accounts.db.session import Session
from accounts.db.statements import POPULATE_EXISTING
from accounts.domain.groups.permissions import (
    Permission,
    Standings,
    allows,
    require,
    require_missing,
    standings_of,
)
from accounts.domain.people import lock_user_and_caller, require_recent_sign_in
from accounts.models import Membership, Role, User, UserGroup, Visibility
from accounts.schemas.groups import GroupRead

# Built once: building a statement takes as long as running it.
LOCK_GROUP = select(UserGroup).where(UserGroup.id == bindparam("group_id")).with_for_update(key_share=True)
SELECT_MEMBERSHIPS = select(Membership).where(
    col(Membership.group_id) == bindparam("group_id"),
    col(Membership.user_id).in_([bindparam("user_id"), bindparam("caller_id")]),
)


@dataclass(frozen=True, slots=True)
class GroupAccess:
    """A group as a caller may see it. ``role`` is None if the caller is no member."""

    group: UserGroup
    role: Role | None
    standings: Standings

    def may(self, permission: Permission) -> bool:
        """Return whether the caller has a permission."""
        return allows(permission, self.standings.now, Visibility(self.group.visibility))

    def require(self, permission: Permission) -> None:
        """Raise unless the caller has a permission.

        Raises:
            AssuranceRequired: the caller would have it in a session of level 2.
            GroupNotFound: the caller may not even see the group.
            GroupForbidden: the caller lacks the permission.

        """
        require(permission, self.standings, Visibility(self.group.visibility))

    def require_for_role(self, role: Role) -> None:
        """Raise GroupForbidden unless the caller may grant and remove a role: that of owners takes MANAGE_OWNERS."""
        if role is Role.OWNER:
            self.require(Permission.MANAGE_OWNERS)


async def require_for_role(db: Session, access: GroupAccess, role: Role, actor: User) -> None:
    """Require the permission for a role, and of those who decide about other owners a recent sign-in.

    Raises:
        GroupForbidden: the actor may not grant and remove the role.
        ReauthenticationRequired: the role is that of owners, and the actor's sign-in is not recent.

    """
    access.require_for_role(role)
    if role is Role.OWNER:
        await require_recent_sign_in(db, actor)


async def get_access(
    db: Session, group_id: int, viewer: User | None, permission: Permission = Permission.SEE
) -> GroupAccess:
    """Read a group and the viewer's role in it, in one statement.

    Raises:
        GroupNotFound: there is no such group, or the viewer may not see it.
        GroupForbidden: the viewer lacks ``permission``.

    """
    statement = (
        select(UserGroup, Membership.role)
        .outerjoin(
            Membership,
            (col(Membership.group_id) == UserGroup.id) & (col(Membership.user_id) == (viewer and viewer.id)),
        )
        .where(UserGroup.id == group_id)
    )
    row = (await db.exec(statement, execution_options=POPULATE_EXISTING)).one_or_none()
    group, role = row or (None, None)
    return _authorize(db, group, role, viewer, permission)


async def get_group(db: Session, group_id: int, viewer: User | None) -> GroupRead:
    """Get a group as the viewer sees it.

    Raises:
        GroupNotFound: there is no such group, or the viewer may not see it.

    """
    access = await get_access(db, group_id, viewer)
    return to_group_read(access.group, access.role)


async def lock_group(db: Session, group_id: int, viewer: User, permission: Permission = Permission.SEE) -> GroupAccess:
    """Lock a group and its memberships against changes by others until the transaction ends.

    The viewer is locked before the group, as the foreign keys of invitations and mails will: see ``lock_member``.

    Raises:
        UserNotFound: the viewer has been deleted or deactivated.
        GroupNotFound: there is no such group, or the viewer may not see it.
        GroupForbidden: the viewer lacks ``permission``.

    """
    access, *_ = await lock_member(db, group_id, viewer.id, viewer, permission)
    return access


async def lock_member(
    db: Session, group_id: int, user_id: uuid.UUID, viewer: User, permission: Permission = Permission.SEE
) -> tuple[GroupAccess, User | None, Membership | None]:
    """Lock a group as ``lock_group`` does, and before it a user; return both, and the user's membership.

    To avoid deadlocks, users are locked before groups, and the viewer last of the users. Their locks conflict only with
    the one for deactivation and deletion, which is taken after those of all superusers.
    """
    user, viewer = await lock_user_and_caller(db, user_id, viewer)
    ids = {"group_id": group_id, "user_id": user_id, "caller_id": viewer.id}
    group = (await db.exec(LOCK_GROUP, params=ids, execution_options=POPULATE_EXISTING)).one_or_none()
    # A second statement, because the first one's snapshot is older than the lock.
    rows = (await db.exec(SELECT_MEMBERSHIPS, params=ids, execution_options=POPULATE_EXISTING)).all()
    memberships = {membership.user_id: membership for membership in rows}
    own = memberships.get(viewer.id)
    return _authorize(db, group, own and own.role, viewer, permission), user, memberships.get(user_id)


def to_group_read(group: UserGroup, role: Role | None) -> GroupRead:
    """Convert a group for a caller with a role in it, or None for no member."""
    return GroupRead(**group.model_dump(), my_role=role)


def _authorize(
    db: Session, group: UserGroup | None, role: Any, viewer: User | None, permission: Permission
) -> GroupAccess:
    role = Role(role) if role else None
    if group is None:
        require_missing(standings_of(db, viewer, role))
    access = GroupAccess(group, role, standings_of(db, viewer, role, group.required_aal))
    access.require(permission)
    return access
