"""Members of groups and their roles; import and export."""

import uuid
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter

from accounts.api.authentication import CurrentUser, Viewer
from accounts.api.dependencies import MemberManagerDep
from accounts.api.fast_routes import fast_get, fast_reader, parse_path, parse_query
from accounts.api.openapi import problems
from accounts.api.pagination import LINK_HEADER, json_page
from accounts.api.routes.groups.groups import GROUP_ERRORS, GroupId
from accounts.domain import errors
from accounts.domain.groups import member_list
from accounts.schemas.groups import MemberQuery, MemberRead, RoleInput, TransferInput

router = APIRouter(prefix="/user-groups/{group_id}", tags=["members"])
reads = APIRouter(prefix="/user-groups/{group_id}", tags=["members"])
OWNER_ERRORS = (errors.LastOwner, errors.UserInactive)
GROUP_ID = TypeAdapter[int](GroupId)


def list_members_parameters(group_id: GroupId, viewer: Viewer, query: Annotated[MemberQuery, Query()]) -> None:
    """Document the parameters of ``list_members``."""


@fast_get(
    reads,
    "/users",
    list_members_parameters,
    summary="List a group's members",
    response_model=list[MemberRead],
    response_model_exclude_none=True,
    responses=LINK_HEADER | problems(errors.GroupNotFound, errors.GroupForbidden, errors.BadCursor),
)
async def list_members(request: Request) -> Response:
    """List a group's members. Emails are shown to members of the group and superusers only."""
    group_id = parse_path(request, "group_id", GROUP_ID)
    query = parse_query(request, MemberQuery)
    page = await member_list.list_members(await fast_reader(request), group_id, query)
    return json_page(request, page)


@router.put(
    "/users/{user_id:uuid}",
    summary="Add a member or set their role",
    response_model_exclude_none=True,
    responses=problems(*GROUP_ERRORS, errors.UserNotFound, *OWNER_ERRORS)
    | {HTTPStatus.CREATED: {"model": MemberRead, "description": "The user became a member."}},
)
async def put_member(
    group_id: GroupId,
    user_id: uuid.UUID,
    body: RoleInput,
    user: CurrentUser,
    members: MemberManagerDep,
    response: Response,
) -> MemberRead:
    """Add a member or set their role. Requires the admin role; granting or changing `owner` requires the owner role.

    You can add users who share a group with you, and must invite all others. Superusers can add any user.
    """
    member, added = await members.put(group_id, user_id, body.role, user)
    if added:
        response.status_code = HTTPStatus.CREATED
    return member


@router.patch(
    "/users/{user_id:uuid}",
    summary="Change a member's role",
    response_model_exclude_none=True,
    responses=problems(*GROUP_ERRORS, errors.MemberNotFound, *OWNER_ERRORS),
)
async def update_member(
    group_id: GroupId, user_id: uuid.UUID, body: RoleInput, user: CurrentUser, members: MemberManagerDep
) -> MemberRead:
    """Change a member's role. Requires the admin role; granting or changing `owner` requires the owner role."""
    return await members.change(group_id, user_id, body.role, user)


@router.delete(
    "/users/{user_id:uuid}",
    summary="Remove a member or leave",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*GROUP_ERRORS, errors.MemberNotFound, errors.LastOwner),
)
async def remove_member(group_id: GroupId, user_id: uuid.UUID, user: CurrentUser, members: MemberManagerDep) -> None:
    """Remove a member, or leave the group with your own id.

    Removing others requires the admin role; removing an owner requires the owner role.
    """
    await members.remove(group_id, user_id, user)


@router.post(
    "/transfer",
    summary="Transfer ownership",
    response_model_exclude_none=True,
    responses=problems(*GROUP_ERRORS, errors.MemberNotFound, *OWNER_ERRORS),
)
async def transfer_group(
    group_id: GroupId, body: TransferInput, user: CurrentUser, members: MemberManagerDep
) -> MemberRead:
    """Make a member an owner, and become an admin yourself. Requires the owner role."""
    return await members.transfer(group_id, body.user_id, user)
