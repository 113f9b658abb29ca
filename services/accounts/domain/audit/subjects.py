"""The users and groups that audit events name, as they are called now."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlmodel import col, select

from accounts.db.session import Session
from accounts.models import AuditEvent, User, UserGroup


class NamedUser(NamedTuple):
    """A user as the audit log shows it."""

    id: uuid.UUID
    email: str
    display_name: str
    owner_group_id: int | None


@dataclass(frozen=True, slots=True)
class Subjects:
    """Users and names of groups, by id. Deleted ones are missing."""

    users: Mapping[uuid.UUID, NamedUser]
    groups: Mapping[int, str]


async def load_subjects(db: Session, events: Sequence[AuditEvent]) -> Subjects:
    """Load the users and groups of events, in two statements for any number of events."""
    user_ids = {each for event in events for each in (event.actor_id, event.user_id) if each}
    group_ids = {event.group_id for event in events if event.group_id}
    users = select(User.id, User.email, User.display_name, User.owner_group_id).where(col(User.id).in_(user_ids))
    groups = select(UserGroup.id, UserGroup.name).where(col(UserGroup.id).in_(group_ids))
    named = [NamedUser(*row) for row in (await db.exec(users)).all()]
    return Subjects({user.id: user for user in named}, {row[0]: row[1] for row in (await db.exec(groups)).all()})
