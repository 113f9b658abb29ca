"""Building blocks that others share: adding a member, and the names of a user's groups."""

import uuid
from collections.abc import Collection

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from accounts.db.session import Session
from accounts.domain.audit.log import Action, record
from accounts.models import Membership, Role, User, UserGroup


async def add_member(db: Session, group_id: int, user_id: uuid.UUID, role: Role) -> bool:
    """Add a user to a group and record it; return False, and change nothing, if the user is a member already."""
    values = {"group_id": group_id, "user_id": user_id, "role": role}
    statement = insert(Membership).values(values).on_conflict_do_nothing().returning(col(Membership.user_id))
    added = (await db.exec(statement)).first() is not None
    if added:
        await record(db, Action.MEMBERSHIP_CREATED, user_id=user_id, group_id=group_id, role=role)
    return added


async def read_names_of_own_groups(db: Session, user: User, group_ids: Collection[int]) -> dict[int, str]:
    """Return the names of those of some groups that a user belongs to. The user may not see the name of another one."""
    is_own = (col(Membership.group_id) == UserGroup.id) & (col(Membership.user_id) == user.id)
    statement = select(UserGroup.id, UserGroup.name).join(Membership, is_own)
    return dict((await db.exec(statement.where(col(UserGroup.id).in_(group_ids)))).all())
