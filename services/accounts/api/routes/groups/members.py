"""Members of groups and their roles; import and export."""

import uuid
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import MemberManagerDep
from accounts.api.fast_routes import SECURITY, ReadingDep, ReadRoute
from accounts.api.openapi import problems
from accounts.api.pagination import LINK_HEADER, json_page
from accounts.api.routes.groups.groups import GROUP_ERRORS, GroupId
from accounts.domain import errors
from accounts.domain.groups import member_list
from accounts.schemas.groups import MemberQuery, MemberRead, RoleInput, TransferInput

router = APIRouter(prefix="/user-groups/{group_id}", tags=["members"])
reads = APIRouter(prefix="/user-groups/{group_id}", tags=["members"], route_class=ReadRoute)
OWNER_ERRORS = (errors.LastOwner, errors.UserInactive)


@reads.get(
    "/users",
    summary="List a group's members",
    response_model=list[MemberRead],
    openapi_extra=SECURITY,
    response_model_exclude_none=True,
    responses=LINK_HEADER | problems(errors.GroupNotFound, errors.GroupForbidden, errors.BadCursor),
)
async def list_members(
    group_id: GroupId, request: Request, reading: ReadingDep, query: Annotated[MemberQuery, Query()]
) -> Response:
    """List the members of a group that you may see. Emails are shown to members of the group and superusers only."""
    return json_page(request, await member_list.list_members(reading, group_id, query))


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
