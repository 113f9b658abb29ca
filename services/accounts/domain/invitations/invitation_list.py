"""Lists of open invitations, the oldest first: those to a user, and those of a group."""

import json
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Uuid, bindparam, case, func, select, union_all
from sqlmodel import col

from accounts.db.statements import Database, JsonRows
from accounts.domain.groups.group_list import read_group
from accounts.domain.groups.permissions import Permission
from accounts.domain.keyset import Keyset, Position, parse_row_id, requested_position
from accounts.domain.people import Caller
from accounts.models import Invitation, User, UserGroup
from accounts.models.invitations import IS_OPEN, has_email
from accounts.schemas.invitations import InvitationRead, Inviter, InvitingGroup, OwnInvitationRead
from accounts.schemas.pagination import Page, PageQuery

BY_ID = Keyset((col(Invitation.id),), text=lambda row: str(row["id"]), parse=lambda text: (parse_row_id(text),))


async def list_sent_to(db: Database, caller: Caller, query: PageQuery) -> Page[str]:
    """List the invitations to the caller, by id or verified email address, as the JSON of ``OwnInvitationRead``.

    Raises:
        BadCursor: the cursor does not belong to this list.

    """
    statement = _select_sent_to(requested_position(query), by_email=caller.is_verified)
    rows = await statement.texts(db, **BY_ID.values(query), caller_id=caller.id, email=caller.email)
    return BY_ID.cut(rows, query, json.loads)


async def list_of_group(db: Database, caller: Caller, group_id: int, query: PageQuery) -> Page[str]:
    """List the invitations of a group, as the JSON of ``InvitationRead``.

    Raises:
        GroupNotFound, GroupForbidden, AssuranceRequired: see ``read_group``.
        BadCursor: the cursor does not belong to this list.

    """
    await read_group(db, caller, group_id, Permission.INVITE)
    statement = _select_of_group(requested_position(query))
    return BY_ID.cut(await statement.texts(db, **BY_ID.values(query), group_id=group_id), query, json.loads)


@cache
def _select_sent_to(position: Position, *, by_email: bool) -> JsonRows:
    conditions = [col(Invitation.user_id) == bindparam("caller_id", type_=Uuid)]
    if by_email:
        conditions.append(has_email(bindparam("email")))
    # One page by each index: an OR would read the invitations of all users in the order of their ids.
    pages = [BY_ID.window(select(col(Invitation.id)).where(condition, IS_OPEN), position) for condition in conditions]
    special = {
        "group": _json_object(InvitingGroup, UserGroup),
        "inviter_name": col(User.display_name).label("inviter_name"),
    }
    statement = (
        select(*_columns(OwnInvitationRead, special))
        .join(UserGroup, col(UserGroup.id) == Invitation.group_id)
        .outerjoin(User, col(User.id) == Invitation.inviter_id)
        .where(col(Invitation.id).in_(union_all(*pages)))
    )
    return JsonRows(BY_ID.window(statement, position._replace(has_key=False)))  # the pages begin at the key


@cache
def _select_of_group(position: Position) -> JsonRows:
    inviter = case((col(User.id).is_not(None), _json_object(Inviter, User)))
    statement = (
        select(*_columns(InvitationRead, {"inviter": inviter}))
        .outerjoin(User, col(User.id) == Invitation.inviter_id)
        .where(col(Invitation.group_id) == bindparam("group_id", type_=BigInteger), IS_OPEN)
    )
    return JsonRows(BY_ID.window(statement, position))


def _columns(schema: Any, special: dict[str, Any]) -> list[Any]:
    """Return the columns of a schema; those that are not of ``Invitation`` are in ``special``."""
    return [special[name].label(name) if name in special else getattr(Invitation, name) for name in schema.model_fields]


def _json_object(schema: Any, entity: Any) -> Any:
    members = [part for name in schema.model_fields for part in (name, getattr(entity, name))]
    return func.json_build_object(*members)
