"""A group's members, as somebody may see them: each list follows an index."""

import uuid
from dataclasses import replace
from typing import Any

from sqlalchemy import func, literal
from sqlmodel import col, select

from accounts.database import Session
from accounts.domain import errors
from accounts.domain.access import Access, find
from accounts.domain.directory import begins, by_email
from accounts.domain.pages import Keyset
from accounts.domain.permissions import Act
from accounts.models import Membership, Role, User, UserGroup
from accounts.models.user import folded
from accounts.schemas.bulk import MemberExport
from accounts.schemas.group import MemberQuery, MemberRead
from accounts.schemas.page import Page, PageQuery


def _by_text(text: str) -> tuple[Any, ...]:
    user_id, _, rest = text.partition(" ")
    return folded(rest), literal(uuid.UUID(user_id))


BY_ID = Keyset((col(Membership.user_id),), text=lambda row: str(row[1].id), parse=lambda text: (uuid.UUID(text),))
BY_NAME = Keyset(
    (func.lower(User.display_name), col(User.id)), text=lambda row: f"{row[1].id} {row[1].display_name}", parse=_by_text
)
EXPORTED = Keyset((col(Membership.user_id),), text=lambda row: str(row.user_id), parse=lambda text: (uuid.UUID(text),))
COLUMNS: tuple[Any, ...] = (
    col(Membership.user_id),
    col(User.email),
    col(User.display_name),
    col(Membership.role),
    col(Membership.joined_at),
)
BY_EMAIL = Keyset((func.lower(User.email),), text=lambda row: row[1].email, parse=by_email)


async def members(session: Session, group_id: int, viewer: User | None, query: MemberQuery) -> Page[MemberRead]:
    """List a group's members, by what is looked for, else by id; addresses are for whom the table of permissions says.

    Raises:
        GroupNotFound: there is none that the viewer may see.
        GroupForbidden: the viewer may not search by address.
        BadCursor: the cursor is none of this list's.

    """
    access = await find(session, group_id, viewer, Act.SEE_ADDRESSES if query.email else Act.LIST_MEMBERS)
    statement = (
        select(Membership, User)
        .join(User, col(User.id) == Membership.user_id)
        .where(col(Membership.group_id) == group_id)
        .where(*begins(User.email, query.email), *begins(User.display_name, query.name))
    )
    if query.role:
        statement = statement.where(col(Membership.role) == query.role)
    if query.role in {Role.OWNER, Role.ADMIN} and (query.name or query.email):
        # They are few, also in the largest group, which PostgreSQL takes for independent: it would look for them among
        # all users of that name. Of what is said twice it expects less.
        statement = statement.where(func.lower(Membership.role) == query.role)
    order = BY_EMAIL if query.email else BY_NAME if query.name else BY_ID
    page = await order.page(session, statement, query)
    return replace(page, rows=[read(access, membership, user) for membership, user in page.rows])


async def export(session: Session, query: PageQuery, group_id: int) -> Page[MemberExport]:
    """List what is exported of a group's members, by id. Whether somebody may see them was asked before.

    Raises:
        GroupNotFound: the group is deleted, and so the list of those whom it had can't be completed.

    """
    statement = select(*COLUMNS).join(User, col(User.id) == Membership.user_id)
    page = await EXPORTED.page(session, statement.where(col(Membership.group_id) == group_id), query)
    if page.next is None and await session.get(UserGroup, group_id) is None:
        raise errors.GroupNotFound
    return replace(page, rows=[MemberExport.model_validate(row, from_attributes=True) for row in page.rows])


def read(access: Access, membership: Membership, user: User) -> MemberRead:
    """Show a member."""
    return MemberRead(
        id=user.id,
        display_name=user.display_name,
        email=user.email if access.may(Act.SEE_ADDRESSES) else None,
        role=Role(membership.role),
        joined_at=membership.joined_at,
    )
