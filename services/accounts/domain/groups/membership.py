"""Adding a member: the building block that creating a group, answering an invitation and the seeder share."""

import uuid

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from accounts.db.session import Session
from accounts.domain.audit.log import Action, record
from accounts.models import Membership, Role


async def add_member(db: Session, group_id: int, user_id: uuid.UUID, role: Role) -> bool:
    """Add a user to a group and record it; return False, and change nothing, if the user is a member already."""
    values = {"group_id": group_id, "user_id": user_id, "role": role}
    statement = insert(Membership).values(values).on_conflict_do_nothing().returning(col(Membership.user_id))
    added = (await db.exec(statement)).first() is not None
    if added:
        await record(db, Action.MEMBERSHIP_CREATED, user_id=user_id, group_id=group_id, role=role)
    return added
