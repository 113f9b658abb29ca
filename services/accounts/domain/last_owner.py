"""The last-owner rule: every group keeps at least one active owner."""

from sqlalchemy.orm import aliased
from sqlmodel import col, exists, select

from accounts.db.session import Session
from accounts.domain import errors
from accounts.models import Membership, Role, User, UserGroup

MAX_GROUPS_SHOWN = 100


async def require_other_owner(db: Session, user: User, group: UserGroup) -> None:
    """Require that a group, which the caller has locked, has another active owner.

    Raises:
        LastOwner: it has none.

    """
    if await _owned_alone(db, user, group):
        raise errors.LastOwner([group])


async def require_other_owners(db: Session, user: User) -> None:
    """Lock a user who is to be deactivated or deleted, and all groups of the user, until the transaction ends.

    Raises:
        LastOwner: some groups have no other active owner; the error names them.

    """
    await db.exec(select(User.id).where(col(User.id) == user.id).with_for_update())
    groups_of_user = select(UserGroup.id).join(Membership).where(col(Membership.user_id) == user.id)
    await db.exec(groups_of_user.order_by(col(UserGroup.id)).with_for_update(key_share=True, of=UserGroup))
    if groups := await _owned_alone(db, user):
        raise errors.LastOwner(groups)


async def _owned_alone(db: Session, user: User, group: UserGroup | None = None) -> list[UserGroup]:
    """List groups whose only active owner is the user, by name."""
    other_membership, other_user = aliased(Membership), aliased(User)
    other_owner = exists().where(
        col(other_membership.group_id) == UserGroup.id,
        col(other_membership.role) == Role.OWNER,
        col(other_membership.user_id) != user.id,
        col(other_membership.user_id) == other_user.id,
        col(other_user.is_active),
    )
    statement = (
        select(UserGroup)
        .join(Membership)
        .where(col(Membership.user_id) == user.id, col(Membership.role) == Role.OWNER, ~other_owner)
    )
    if group:
        statement = statement.where(UserGroup.id == group.id)
    return list((await db.exec(statement.order_by(UserGroup.name).limit(MAX_GROUPS_SHOWN))).all())
