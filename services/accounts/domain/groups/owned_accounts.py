"""Locks of service accounts, which are users, and so are locked before the group that owns them."""

import uuid
from collections.abc import Sequence

from sqlmodel import col, or_, select

from accounts.db.session import Session
from accounts.db.statements import POPULATE_EXISTING
from accounts.domain import errors
from accounts.domain.groups.access import GroupAccess, get_access, lock_group
from accounts.domain.groups.permissions import Permission
from accounts.domain.people import lock_user
from accounts.models import Membership, User, UserGroup

MANAGE = Permission.MANAGE_SERVICE_ACCOUNTS


async def lock_account(db: Session, group_id: int, account_id: uuid.UUID, actor: User) -> User:
    """Lock a service account of a group, then the actor, then the group as ``lock_group`` does.

    Raises:
        UserNotFound: the actor has been deleted or deactivated.
        GroupNotFound: there is no such group, or the actor may not see it.
        GroupForbidden: the actor may not manage service accounts.
        ServiceAccountNotFound: the group has no such service account.

    """
    accounts = await _lock_accounts(db, group_id, actor, MANAGE, account_id)
    await lock_group(db, group_id, actor, MANAGE)
    return only(accounts)


def only(accounts: Sequence[User]) -> User:
    """Return the only service account, or raise ServiceAccountNotFound if there is none."""
    if not accounts:
        raise errors.ServiceAccountNotFound
    return accounts[0]


async def lock_for_deletion(
    db: Session, group_id: int, actor: User, permission: Permission, account_id: uuid.UUID | None = None
) -> tuple[GroupAccess, Sequence[User]]:
    """Lock all service accounts of a group, or one of them, then the actor, then all groups that lose a member.

    Raises:
        UserNotFound: the actor has been deleted or deactivated.
        GroupNotFound: there is no such group, or the actor may not see it.
        GroupForbidden: the actor lacks ``permission``.

    """
    accounts = await _lock_accounts(db, group_id, actor, permission, account_id)
    await lock_user(db, actor, read=True)
    of_accounts = select(Membership.group_id).where(col(Membership.user_id).in_([user.id for user in accounts]))
    groups = select(UserGroup.id).where(or_(UserGroup.id == group_id, col(UserGroup.id).in_(of_accounts)))
    await db.exec(groups.order_by(col(UserGroup.id)).with_for_update(key_share=True))
    return await lock_group(db, group_id, actor, permission), accounts


async def _lock_accounts(
    db: Session, group_id: int, actor: User, permission: Permission, account_id: uuid.UUID | None
) -> Sequence[User]:
    await get_access(db, group_id, actor, permission)  # a caller without the permission locks nothing
    statement = select(User).where(col(User.owner_group_id) == group_id)
    if account_id:
        statement = statement.where(col(User.id) == account_id)
    locked = statement.order_by(col(User.id)).with_for_update()
    return (await db.exec(locked, execution_options=POPULATE_EXISTING)).all()
