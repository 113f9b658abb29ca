"""Lists of groups, and one group, as the JSON of ``GroupRead``. Each order has an index."""

import json
import uuid
from collections.abc import Iterator
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Uuid, bindparam, func, literal, null, select, union_all
from sqlmodel import col

from accounts.db.session import CallerLevel
from accounts.db.statements import Database, JsonRows
from accounts.domain.groups.permissions import (
    Permission,
    Standings,
    allows,
    get_standings,
    require,
    require_missing,
)
from accounts.domain.keyset import Keyset, Position, parse_row_id, requested_position
from accounts.domain.people import Caller
from accounts.domain.prefix_search import LAST_CHARACTER, in_range
from accounts.models import Membership, Role, UserGroup, Visibility
from accounts.schemas.groups import GroupQuery, GroupRead, OwnGroupQuery
from accounts.schemas.pagination import Page


def _parse_name_cursor(text: str) -> tuple[Any, ...]:
    group_id, _, name = text.partition(" ")
    return name, parse_row_id(group_id)


BY_NAME = Keyset(
    (func.lower(UserGroup.name), col(UserGroup.id)),
    text=lambda row: f"{row['id']} {row['name']}",
    parse=_parse_name_cursor,
)
BY_ID = Keyset((col(Membership.group_id),), text=lambda row: str(row["id"]), parse=lambda text: (parse_row_id(text),))
OWN = (col(Membership.group_id) == UserGroup.id) & (col(Membership.user_id) == bindparam("caller_id", type_=Uuid))


async def list_groups(db: Database, caller: Caller | None, query: GroupQuery) -> Page[str]:
    """List the groups that the caller may see, by name.

    Raises:
        BadCursor: the cursor does not belong to this list.

    """
    standing = _standings(caller).now
    whole = frozenset(each for each in Visibility if allows(Permission.SEE, standing, each))
    shown = frozenset([query.visibility] if query.visibility else Visibility) & (
        whole if caller is None else {*Visibility}
    )
    values = BY_NAME.values(query) | {"first": query.name, "last": f"{query.name}{LAST_CHARACTER}"}
    rows: list[str] = []
    if shown:
        statement = _select_visible(
            requested_position(query), shown, whole, signed_in=caller is not None, by_name=bool(query.name)
        )
        rows = await statement.texts(db, **values, caller_id=caller and caller.id)
    return BY_NAME.cut(rows, query, json.loads)


async def list_groups_of(db: Database, user_id: uuid.UUID, query: OwnGroupQuery) -> Page[str]:
    """List the groups of which a user is a member, by id.

    Raises:
        BadCursor: the cursor does not belong to this list.

    """
    statement = _select_own(requested_position(query), by_role=query.role is not None)
    rows = await statement.texts(db, **BY_ID.values(query), caller_id=user_id, role=query.role)
    return BY_ID.cut(rows, query, json.loads)


async def read_group(
    db: Database, caller: Caller | None, group_id: int, permission: Permission = Permission.SEE
) -> str:
    """Get a group in which the caller has a permission.

    Raises:
        GroupNotFound: there is no such group, or the caller may not see it.
        GroupForbidden: the caller lacks the permission.
        AssuranceRequired: the caller would have it in a session of level 2.

    """
    rows = await SELECT_GROUP[caller is not None].texts(db, group_id=group_id, caller_id=caller and caller.id)
    if not rows:
        require_missing(_standings(caller))
    group = GroupRead.model_validate_json(rows[0])
    require(permission, _standings(caller, group.my_role, group.required_aal), group.visibility)
    return rows[0]


def _standings(caller: Caller | None, role: Role | None = None, required_aal: int = 1) -> Standings:
    return get_standings(
        signed_in=caller is not None,
        superuser=caller is not None and caller.is_superuser,
        role=role,
        caller_level=caller.level if caller else CallerLevel(),
        required_aal=required_aal,
    )


def _columns(role: Any) -> Iterator[Any]:
    for name in GroupRead.model_fields:
        yield role.label(name) if name == "my_role" else getattr(UserGroup, name)


def _select_groups(*, signed_in: bool) -> Any:
    """Select groups with the caller's role in each."""
    if not signed_in:
        return select(*_columns(null()))
    return select(*_columns(col(Membership.role))).select_from(UserGroup).outerjoin(Membership, OWN)


SELECT_GROUP = {
    signed_in: JsonRows(
        _select_groups(signed_in=signed_in).where(col(UserGroup.id) == bindparam("group_id", type_=BigInteger))
    )
    for signed_in in (False, True)
}


@cache
def _select_visible(
    position: Position, shown: frozenset[Visibility], whole: frozenset[Visibility], *, signed_in: bool, by_name: bool
) -> JsonRows:
    """Select the groups of some visibilities: of each, all if it is among ``whole``, or else those of the caller."""
    # Each part reads one page from an index; one query with OR would read all groups in the order of their names.
    parts = []
    for visibility in sorted(shown):
        ids = select(col(UserGroup.id)).where(col(UserGroup.visibility) == literal(visibility))
        if by_name:
            ids = ids.where(in_range(UserGroup.name, bindparam("first"), bindparam("last")))
        if visibility not in whole:
            ids = ids.join(Membership, OWN)
        parts.append(BY_NAME.window(ids, position))
    # Each part begins at the key. Compared once more, it would make PostgreSQL read all groups after it.
    groups = _select_groups(signed_in=signed_in).where(col(UserGroup.id).in_(union_all(*parts)))
    return JsonRows(BY_NAME.window(groups, position._replace(has_key=False)))


@cache
def _select_own(position: Position, *, by_role: bool) -> JsonRows:
    groups = select(*_columns(col(Membership.role))).select_from(UserGroup).join(Membership, OWN)
    if by_role:
        groups = groups.where(col(Membership.role) == bindparam("role"))
    return JsonRows(BY_ID.window(groups, position))
