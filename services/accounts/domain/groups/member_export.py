"""A group's members to the last, for whoever takes them elsewhere."""

import uuid
from dataclasses import replace
from typing import Any

from sqlmodel import col, select

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.keyset import Keyset
from accounts.models import Membership, User, UserGroup
from accounts.schemas.member_files import MemberExport
from accounts.schemas.pagination import Page, PageQuery

COLUMNS: tuple[Any, ...] = (
    col(Membership.user_id),
    col(User.email),
    col(User.display_name),
    col(Membership.role),
    col(Membership.joined_at),
)
BY_ID = Keyset((col(Membership.user_id),), text=lambda row: str(row.user_id), parse=lambda text: (uuid.UUID(text),))


async def export_page(db: Session, query: PageQuery, group_id: int) -> Page[MemberExport]:
    """List what is exported of a group's members, by id. Whether somebody may see them was asked before.

    Raises:
        GroupNotFound: the group is deleted, and so the list of those whom it had can't be completed.

    """
    statement = select(*COLUMNS).join(User, col(User.id) == Membership.user_id)
    page = await BY_ID.page(db, statement.where(col(Membership.group_id) == group_id), query)
    if page.next is None and await db.get(UserGroup, group_id) is None:
        raise errors.GroupNotFound
    return replace(page, rows=[MemberExport.model_validate(row, from_attributes=True) for row in page.rows])
