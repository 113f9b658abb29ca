"""A group as a read without the ORM finds it."""

from collections.abc import Callable

import asyncpg
from sqlalchemy import bindparam, true
from sqlmodel import col, select

from accounts.db.statements import CompiledStatement
from accounts.domain import errors
from accounts.domain.groups.permissions import Permission, allows, require, standing
from accounts.domain.sessions.caller import Reading, select_caller
from accounts.models import Membership, Role, User, UserGroup, Visibility

VIEWER = select_caller(User.id, User.is_superuser).subquery("viewer")


# Looked up, and not joined: PostgreSQL might begin such a join with all members of the group.
ROLE = select(Membership.role).where(col(Membership.group_id) == UserGroup.id, col(Membership.user_id) == VIEWER.c.id)


SELECT_ACCESS = CompiledStatement(
    select(UserGroup.visibility, VIEWER.c.id, VIEWER.c.is_superuser, ROLE.scalar_subquery())
    .select_from(UserGroup)
    .outerjoin(VIEWER, true())
    .where(UserGroup.id == bindparam("group_id"))
)


# By itself, since PostgreSQL would plan the other anew each time for whom nothing of it is to be looked up.
SELECT_VISIBILITY = CompiledStatement(select(UserGroup.visibility).where(UserGroup.id == bindparam("group_id")))


async def read_access(
    reading: Reading, connection: asyncpg.Connection, group_id: int, act: Permission = Permission.SEE
) -> Callable[[Permission], bool]:
    """Do as ``find`` does for a read without the ORM; give what else the table of permissions allows.

    Raises:
        GroupNotFound: there is none that the caller may see.
        GroupForbidden: it takes more than the caller is.

    """
    seen = SELECT_ACCESS if reading.claims else SELECT_VISIBILITY
    rows = await seen.fetch(connection, group_id=group_id, **reading.parameters)
    if not rows:
        raise errors.GroupNotFound
    visibility, *who = rows[0]
    user_id, superuser, role = who or (None, None, None)
    theirs = standing(signed_in=user_id is not None, superuser=bool(superuser), role=Role(role) if role else None)
    require(act, theirs, Visibility(visibility))
    return lambda further: allows(further, theirs, Visibility(visibility))
