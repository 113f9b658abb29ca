"""A group's members, as somebody may see them: each list follows an index."""

import json
import uuid
from functools import cache, partial
from typing import Any

from sqlalchemy import ARRAY, String, bindparam, exists, func, select
from sqlmodel import col

from accounts.db.statements import JsonRows
from accounts.domain.groups.access import GroupAccess
from accounts.domain.groups.fast_access import read_access
from accounts.domain.groups.permissions import Permission, visibilities_open_to_anyone
from accounts.domain.keyset import Keyset, Position, requested_position
from accounts.domain.prefix_search import LAST_CHARACTER, in_range, parse_email_cursor, parse_name_cursor
from accounts.domain.sessions.caller import Reading
from accounts.models import Membership, Role, User, UserGroup
from accounts.schemas.groups import MemberQuery, MemberRead
from accounts.schemas.pagination import Page

BY_ID = Keyset((col(Membership.user_id),), text=lambda row: str(row["id"]), parse=lambda text: (uuid.UUID(text),))
BY_NAME = Keyset(
    (func.lower(User.display_name), col(User.id)),
    text=lambda row: f"{row['id']} {row['display_name']}",
    parse=parse_name_cursor,
)
BY_EMAIL = Keyset((func.lower(User.email),), text=lambda row: str(row["email"]), parse=parse_email_cursor)


async def list_members(reading: Reading, group_id: int, query: MemberQuery) -> Page[str]:
    """List a group's members, by what is looked for, else by id: each as the JSON of a ``MemberRead``.

    Addresses are for whom the table of permissions says.

    Raises:
        GroupNotFound: there is none that the caller may see.
        GroupForbidden: the caller may not search by address.
        BadCursor: the cursor is none of this list's.

    """
    sought = query.model_dump(include={"email", "name", "role"}, exclude_none=True)
    ends = {f"{name}_end": f"{text}{LAST_CHARACTER}" for name, text in sought.items()}
    order = BY_EMAIL if query.email else BY_NAME if query.name else BY_ID
    act = Permission.SEE_EMAILS if query.email else Permission.LIST_MEMBERS
    values = order.values(query) | sought | ends | {"group_id": group_id, "open": visibilities_open_to_anyone(act)}
    of = partial(_rows, order, requested_position(query), frozenset([*sought, *_few(query)]))
    async with reading as connection:
        # Of whoever has no token there is nothing to look up, as long as something is found.
        found = [] if reading.claims else await of(addresses=False, anybody=True).texts(connection, **values)
        if not found:
            may = await read_access(reading, connection, group_id, act)
            found = await of(addresses=may(Permission.SEE_EMAILS), anybody=False).texts(connection, **values)
    return order.cut(found, query, json.loads)


def _few(query: MemberQuery) -> list[str]:
    """Tell whether owners or admins of a name are looked for, who are few in the largest group."""
    return ["few"] if query.role in {Role.OWNER, Role.ADMIN} and (query.name or query.email) else []


@cache
def _rows(order: Keyset, place: Position, sought: frozenset[str], *, addresses: bool, anybody: bool) -> JsonRows:
    columns: list[Any] = [
        User.id,
        User.display_name,
        *([User.email] if addresses else []),
        Membership.role,
        Membership.joined_at,
    ]
    statement = (
        select(*columns)
        .select_from(Membership)
        .join(User, col(User.id) == Membership.user_id)
        .where(col(Membership.group_id) == bindparam("group_id"))
    )
    if anybody:
        opened = col(UserGroup.visibility) == func.any(bindparam("open", type_=ARRAY(String)))
        statement = statement.where(exists().where(col(UserGroup.id) == bindparam("group_id"), opened))
    for name, column in (("email", User.email), ("name", User.display_name)):
        if name in sought:
            first, last = (bindparam(each, type_=String) for each in (name, f"{name}_end"))
            statement = statement.where(in_range(column, first, last))
    if "role" in sought:
        statement = statement.where(col(Membership.role) == bindparam("role"))
    if "few" in sought:
        # PostgreSQL takes role and group for independent, and would look for owners among all users of the name. Of
        # what is said twice it expects less.
        statement = statement.where(func.lower(Membership.role) == bindparam("role"))
    return JsonRows(order.window(statement, place))


def to_member_read(access: GroupAccess, membership: Membership, user: User) -> MemberRead:
    """Show a member."""
    return MemberRead(
        id=user.id,
        display_name=user.display_name,
        email=user.email if access.may(Permission.SEE_EMAILS) else None,
        role=Role(membership.role),
        joined_at=membership.joined_at,
    )
