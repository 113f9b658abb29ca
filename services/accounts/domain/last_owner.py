"""There is always an owner: a group keeps at least one who can sign in."""

from sqlalchemy.orm import aliased
from sqlmodel import col, exists, select

from accounts.db.session import Session
from accounts.domain import errors
from accounts.models import Membership, Role, User, UserGroup

GROUPS_SHOWN = 100  # how many of the groups that are in the way are told


async def require_other_owner(db: Session, user: User, group: UserGroup) -> None:
    """Keep an owner from ceasing to be one, while somebody holds the group, unless there is another.

    Raises:
        LastOwner: naming the group.

    """
    if await _only_for(db, user, group):
        raise errors.LastOwner([group])


async def require_other_owners(db: Session, user: User) -> None:
    """Lock a user who is to be deactivated or deleted, and all their groups, until the transaction ends.

    Raises:
        LastOwner: naming the groups that nobody else owns.

    """
    await db.exec(select(User.id).where(col(User.id) == user.id).with_for_update())
    theirs = select(UserGroup.id).join(Membership).where(col(Membership.user_id) == user.id)
    await db.exec(theirs.order_by(col(UserGroup.id)).with_for_update(key_share=True, of=UserGroup))
    if groups := await _only_for(db, user):
        raise errors.LastOwner(groups)


async def _only_for(db: Session, user: User, group: UserGroup | None = None) -> list[UserGroup]:
    """Find groups whose only active owner is the user, the first by name."""
    other, others = aliased(Membership), aliased(User)
    another = exists().where(
        col(other.group_id) == UserGroup.id,
        col(other.role) == Role.OWNER,
        col(other.user_id) != user.id,
        col(other.user_id) == others.id,
        col(others.is_active),
    )
    statement = (
        select(UserGroup)
        .join(Membership)
        .where(col(Membership.user_id) == user.id, col(Membership.role) == Role.OWNER, ~another)
    )
    if group:
        statement = statement.where(UserGroup.id == group.id)
    return list((await db.exec(statement.order_by(UserGroup.name).limit(GROUPS_SHOWN))).all())
