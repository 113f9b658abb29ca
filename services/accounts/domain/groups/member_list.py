"""The list of a group's members, without the ORM: PostgreSQL writes the rows as JSON, and each order has an index.

One statement finds the caller and decides what they may see, the other reads the page.
"""

import json
import uuid
from functools import cache, partial
from typing import Any

import asyncpg
from sqlalchemy import ARRAY, BigInteger, Boolean, String, bindparam, exists, func, select, true
from sqlmodel import col

from accounts.db.statements import CompiledStatement, JsonRows
from accounts.domain.groups.assurance import SECOND_FACTOR
from accounts.domain.groups.permissions import (
    Permission,
    Standing,
    allows,
    get_standings,
    require,
    require_missing,
    visibilities_open_to_anyone,
)
from accounts.domain.keyset import Keyset, Position, requested_position
from accounts.domain.prefix_search import LAST_CHARACTER, in_range
from accounts.domain.sessions.caller import LEVEL, FastReader, select_caller
from accounts.domain.user_orders import BY_EMAIL, BY_NAME
from accounts.models import Membership, Role, User, UserGroup, Visibility
from accounts.schemas.groups import MemberQuery
from accounts.schemas.pagination import Page

BY_ID = Keyset((col(Membership.user_id),), text=lambda row: str(row["id"]), parse=lambda text: (uuid.UUID(text),))

IS_GROUP = col(UserGroup.id) == bindparam("group_id")
OPTIONAL_COLUMNS: dict[Permission, Any] = {
    Permission.SEE_EMAILS: User.email,
    Permission.SEE_ASSURANCE: SECOND_FACTOR.label("second_factor"),
}
NO_CALLER = (None,) * 5
NOTHING = (None, *NO_CALLER)


def _select_access(*, looked_up: bool) -> CompiledStatement:
    """Select the group, if there is one, and the caller, if there is a live session: one row in any case."""
    caller = select_caller(User.id, User.is_superuser, LEVEL[looked_up], looked_up=looked_up).subquery("caller")
    # A scalar subquery, because PostgreSQL might begin a join with all members of the group.
    role = select(col(Membership.role)).where(
        col(Membership.group_id) == UserGroup.id, col(Membership.user_id) == caller.c.id
    )
    columns = (
        col(UserGroup.visibility),
        col(UserGroup.required_aal),
        caller.c.id,
        caller.c.is_superuser,
        caller.c.level,
        role.scalar_subquery(),
    )
    requested = select(bindparam("group_id", type_=BigInteger).label("id")).subquery("requested")
    found = requested.outerjoin(UserGroup, col(UserGroup.id) == requested.c.id).outerjoin(caller, true())
    return CompiledStatement(select(*columns).select_from(found))


SELECT_ACCESS = {looked_up: _select_access(looked_up=looked_up) for looked_up in (False, True)}
# For anonymous callers: PostgreSQL would plan SELECT_ACCESS again each time when its parameters are NULL.
SELECT_VISIBILITY = CompiledStatement(select(col(UserGroup.visibility)).where(IS_GROUP))


async def list_members(reader: FastReader, group_id: int, query: MemberQuery) -> Page[str]:
    """List a group's members: by email address or name if the query has one, else by id.

    Returns:
        Each member as the JSON of a ``MemberRead``; with ``email`` and ``second_factor`` only if the
        caller may see them.

    Raises:
        GroupNotFound: there is no such group, or the caller may not see it.
        GroupForbidden: the caller may not search by email address.
        AssuranceRequired: the caller might in a session of level 2.
        BadCursor: the cursor does not belong to this list.

    """
    search = query.model_dump(include={"email", "name", "role", "second_factor"}, exclude_none=True)
    bounds = {f"{name}_end": f"{text}{LAST_CHARACTER}" for name, text in search.items()}
    keyset = BY_EMAIL if query.email else BY_NAME if query.name else BY_ID
    permission = _required_permission(query)
    values = keyset.values(query) | search | bounds | {"group_id": group_id}
    conditions = frozenset([*search, *_rare(query)])
    rows_for = partial(_select_members, keyset, requested_position(query), conditions)
    async with reader.connect() as connection:
        if reader.claims is None and not reader.replica.exists:
            # The common case takes one statement; a second one tells an empty page from a group that is hidden.
            values["open"] = visibilities_open_to_anyone(permission)
            if rows := await rows_for(only_open=True).texts(connection, **values):
                return keyset.cut(rows, query, json.loads)
        standing, visibility = await _read_access(reader, connection, group_id, permission)
        members = rows_for(frozenset(one for one in OPTIONAL_COLUMNS if allows(one, standing, visibility)))
        texts = members.texts_of_search if query.name or query.email else members.texts
        rows = [] if reader.replica.exists else await texts(connection, **values)
    if reader.replica.exists:
        rows = await reader.replica.read(reader.connect, partial(texts, **values))
    return keyset.cut(rows, query, json.loads)


async def _read_access(
    reader: FastReader, connection: asyncpg.Connection, group_id: int, permission: Permission
) -> tuple[Standing, Visibility]:
    statement = SELECT_ACCESS[reader.looked_up] if reader.claims else SELECT_VISIBILITY
    rows = await statement.fetch(connection, group_id=group_id, **reader.parameters)
    visibility, required_aal, user_id, superuser, level, role = (*rows[0], *NO_CALLER)[:6] if rows else NOTHING
    standings = get_standings(
        signed_in=user_id is not None,
        superuser=bool(superuser),
        role=role and Role(role),
        caller_level=reader.at(level or 1),
        required_aal=required_aal or 1,
    )
    if visibility is None:
        require_missing(standings)
    require(permission, standings, Visibility(visibility))
    return standings.now, Visibility(visibility)


def _required_permission(query: MemberQuery) -> Permission:
    if query.second_factor is not None:
        return Permission.SEE_ASSURANCE
    return Permission.SEE_EMAILS if query.email else Permission.LIST_MEMBERS


def _rare(query: MemberQuery) -> list[str]:
    """Return the search term ``rare`` for owners or admins of a name: even the largest group has few of them."""
    return ["rare"] if query.role in {Role.OWNER, Role.ADMIN} and (query.name or query.email) else []


@cache
def _select_members(
    keyset: Keyset,
    position: Position,
    search: frozenset[str],
    shown: frozenset[Permission] = frozenset(),
    *,
    only_open: bool = False,
) -> JsonRows:
    columns: list[Any] = [
        User.id,
        User.display_name,
        *(column for permission, column in OPTIONAL_COLUMNS.items() if permission in shown),
        Membership.role,
        Membership.joined_at,
    ]
    statement = (
        select(*columns)
        .select_from(Membership)
        .join(User, col(User.id) == Membership.user_id)
        .where(col(Membership.group_id) == bindparam("group_id"))
    )
    if only_open:
        is_open = col(UserGroup.visibility) == func.any(bindparam("open", type_=ARRAY(String)))
        statement = statement.where(exists().where(IS_GROUP, is_open))
    for name, column in (("email", User.email), ("name", User.display_name)):
        if name in search:
            first, last = (bindparam(bound, type_=String) for bound in (name, f"{name}_end"))
            statement = statement.where(in_range(column, first, last))
    if "role" in search:
        statement = statement.where(col(Membership.role) == bindparam("role"))
    if "second_factor" in search:
        statement = statement.where(bindparam("second_factor", type_=Boolean) == SECOND_FACTOR)
    if "rare" in search:
        # PostgreSQL takes role and group for independent, and would search all users of the name for owners. Stated
        # twice, the condition makes it expect fewer rows, and begin with the owners.
        statement = statement.where(func.lower(Membership.role) == bindparam("role"))
    return JsonRows(keyset.window(statement, position))
