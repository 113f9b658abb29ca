"""Groups: public ones, and those that you belong to."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from accounts.api.authentication import CurrentUser, Viewer
from accounts.api.dependencies import GroupManagerDep
from accounts.api.openapi import AUTHENTICATED, Responses, problems
from accounts.api.pagination import LINK_HEADER, add_link_header
from accounts.domain import errors
from accounts.schemas.groups import GroupCreate, GroupQuery, GroupRead, GroupUpdate, OwnGroupQuery

router = APIRouter(tags=["groups"])

GroupId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[1])]
LOCATION: Responses = {
    201: {"headers": {"Location": {"description": "The path of the new group.", "schema": {"type": "string"}}}}
}
GROUP_ERRORS = (*AUTHENTICATED, errors.GroupNotFound, errors.GroupForbidden, errors.AssuranceRequired)
GROUP_CHANGE_ERRORS = (*GROUP_ERRORS, errors.UserNotFound)


@router.get("/user-groups", summary="List groups", responses=LINK_HEADER | problems(errors.BadCursor))
async def list_groups(
    request: Request,
    response: Response,
    viewer: Viewer,
    groups: GroupManagerDep,
    query: Annotated[GroupQuery, Query()],
) -> Sequence[GroupRead]:
    """List groups by name: public ones and, if you are signed in, those that you belong to."""
    page = await groups.list(viewer, query)
    add_link_header(request, response, page)
    return page.rows


@router.get(
    "/users/me/groups",
    summary="List my groups",
    responses=LINK_HEADER | problems(*AUTHENTICATED, errors.BadCursor),
)
async def list_my_groups(
    request: Request,
    response: Response,
    user: CurrentUser,
    groups: GroupManagerDep,
    query: Annotated[OwnGroupQuery, Query()],
) -> Sequence[GroupRead]:
    """List the groups that you belong to, with your role, the oldest group first."""
    page = await groups.of_user(user, query)
    add_link_header(request, response, page)
    return page.rows


@router.post(
    "/user-groups",
    summary="Create a group",
    status_code=HTTPStatus.CREATED,
    responses=LOCATION | problems(*AUTHENTICATED, errors.UserNotFound, errors.GroupNameTaken),
)
async def create_group(
    group_create: GroupCreate, user: CurrentUser, groups: GroupManagerDep, response: Response
) -> GroupRead:
    """Create a group and become its owner. Names of public groups are unique, ignoring case."""
    group = await groups.create(group_create, user)
    response.headers["Location"] = f"/user-groups/{group.id}"
    return group


@router.get(
    "/user-groups/{group_id}", summary="Get a group", responses=problems(errors.GroupNotFound, errors.AssuranceRequired)
)
async def read_group(group_id: GroupId, viewer: Viewer, groups: GroupManagerDep) -> GroupRead:
    """Return a group. Private groups are visible to their members and to superusers only."""
    return await groups.get(group_id, viewer)


@router.patch(
    "/user-groups/{group_id}",
    summary="Update a group",
    responses=problems(*GROUP_CHANGE_ERRORS, errors.GroupNameTaken),
)
async def update_group(
    group_id: GroupId, group_update: GroupUpdate, user: CurrentUser, groups: GroupManagerDep
) -> GroupRead:
    """Update the fields in the body. Requires the admin role; `visibility` and `required_aal` require the owner role.

    Setting `required_aal` to 2 requires a session of that level, so that you do not lock yourself out.
    """
    return await groups.update(group_id, group_update, user)


@router.delete(
    "/user-groups/{group_id}",
    summary="Delete a group",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*GROUP_CHANGE_ERRORS),
)
async def delete_group(group_id: GroupId, user: CurrentUser, groups: GroupManagerDep) -> None:
    """Delete a group with its memberships and invitations. Requires the owner role."""
    await groups.delete(group_id, user)
