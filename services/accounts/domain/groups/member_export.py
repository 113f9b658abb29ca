"""The export of a group's members, page by page."""

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
    """List a group's members for its export, by id. The caller has checked the permission.

    Raises:
        GroupNotFound: the group was deleted between two pages, so the export would be incomplete.

    """
    statement = select(*COLUMNS).join(User, col(User.id) == Membership.user_id)
    page = await BY_ID.page(db, statement.where(col(Membership.group_id) == group_id), query)
    if page.next is None and await db.get(UserGroup, group_id) is None:
        raise errors.GroupNotFound
    return replace(page, rows=[MemberExport.model_validate(row, from_attributes=True) for row in page.rows])
