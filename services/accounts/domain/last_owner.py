"""The last-owner rule: every group keeps at least one active owner."""

from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import aliased
from sqlmodel import col, exists, select

from accounts.db.session import Session
from accounts.domain import errors
from accounts.models import Membership, Role, User, UserGroup

OF_GROUP = col(Membership.group_id) == UserGroup.id
GROUPS_SHOWN = 100  # how many of the blocking groups an error names


def has_other_owner(group_id: Any, user_id: Any) -> ColumnElement[bool]:
    """Return the SQL condition that a group has an active owner other than a user. It holds while the group is locked.

    Each of the ids is a value, a parameter or a column.
    """
    membership, owner = aliased(Membership), aliased(User)
    return exists().where(
        col(membership.group_id) == group_id,
        col(membership.role) == Role.OWNER,
        col(membership.user_id) != user_id,
        col(membership.user_id) == owner.id,
        col(owner.is_active),
    )


async def require_other_owners(db: Session, user: User) -> None:
    """Lock a user who is to be deactivated or deleted, and all groups of the user, until the transaction ends.

    Raises:
        LastOwner: with the groups whose only active owner is the user.

    """
    await db.exec(select(User.id).where(col(User.id) == user.id).with_for_update())
    groups = select(UserGroup.id).join(Membership, OF_GROUP).where(col(Membership.user_id) == user.id)
    await db.exec(groups.order_by(col(UserGroup.id)).with_for_update(key_share=True, of=UserGroup))
    if blocking := await list_solely_owned(db, user):
        raise errors.LastOwner(blocking)


async def list_solely_owned(db: Session, user: User) -> list[UserGroup]:
    """List the groups whose only active owner is a user, by name, at most GROUPS_SHOWN."""
    statement = (
        select(UserGroup)
        .join(Membership, OF_GROUP)
        .where(
            col(Membership.user_id) == user.id,
            col(Membership.role) == Role.OWNER,
            ~has_other_owner(UserGroup.id, user.id),
        )
        .order_by(UserGroup.name)
        .limit(GROUPS_SHOWN)
    )
    return list((await db.exec(statement)).all())
