"""The members that a group would lock out by requiring a second factor."""

import uuid
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, bindparam, case, exists, func, select
from sqlmodel import col

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain.groups.access import get_access
from accounts.domain.groups.permissions import Permission
from accounts.domain.keyset import Keyset
from accounts.models import AccessKey, Membership, User
from accounts.schemas.groups import GroupAssuranceRead
from accounts.schemas.pagination import Page, PageQuery

HAS_WEAK_SECRET = exists().where(
    col(AccessKey.user_id) == col(User.id), col(AccessKey.aal) == 1, col(AccessKey.expires_at) > func.now()
)
IS_PERSON = col(User.owner_group_id).is_(None)
HAS_FACTOR = func.cardinality(col(User.second_factors)) > 0
SECOND_FACTOR: Any = case((IS_PERSON, HAS_FACTOR))  # null of service accounts, which have none
BY_ID = Keyset((col(Membership.user_id),), text=lambda row: str(row.id), parse=lambda text: (uuid.UUID(text),))
COUNTED = 1000  # of more members than this, pages say so


def _count(*conditions: ColumnElement[bool]) -> Any:
    members = select(col(User.id)).join(Membership, col(Membership.user_id) == User.id)
    in_group = members.where(col(Membership.group_id) == bindparam("group_id"), *conditions)
    return select(func.count()).select_from(in_group.limit(bindparam("most", type_=BigInteger)).subquery())


COUNT_LOCKED_OUT = CompiledStatement(
    select(
        _count(IS_PERSON, ~HAS_FACTOR).scalar_subquery(),
        _count(~IS_PERSON, HAS_WEAK_SECRET).scalar_subquery(),
    )
)


async def get_assurance(db: Session, group_id: int, viewer: User, *, most: int | None = None) -> GroupAssuranceRead:
    """Return what a group requires, and how many members do not or would not meet level 2.

    Args:
        most: count up to this number only, instead of reading all members.

    Raises:
        GroupNotFound: there is no such group, or the viewer may not see it.
        GroupForbidden: the viewer lacks the permission.
        AssuranceRequired: the viewer has it in sessions of level 2 only.

    """
    access = await get_access(db, group_id, viewer, Permission.SEE_ASSURANCE)
    [(users, service_accounts)] = await COUNT_LOCKED_OUT.run(db, group_id=group_id, most=most)
    return GroupAssuranceRead(
        required_aal=access.group.required_aal,
        users_locked_out=users,
        service_accounts_locked_out=service_accounts,
    )


async def list_users_locked_out(db: Session, group_id: int, query: PageQuery) -> Page[Any]:
    """List the members without a second factor, by id: id, name and email. ``get_assurance`` checks the permission.

    Raises:
        BadCursor: the cursor does not belong to this list.

    """
    columns: tuple[Any, ...] = User.id, User.display_name, User.email
    without = select(*columns).join(Membership, col(Membership.user_id) == User.id)
    statement = without.where(col(Membership.group_id) == group_id, IS_PERSON, ~HAS_FACTOR)
    return await BY_ID.page(db, statement, query)
