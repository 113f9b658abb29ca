"""Groups: public ones, and those that you belong to."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import TypeAdapter

from accounts.api.authentication import CurrentUser, Viewer
from accounts.api.dependencies import GroupManagerDep
from accounts.api.fast_routes import fast_get, parse_path, parse_query, reading, reading_as_anyone
from accounts.api.openapi import AUTHENTICATED, Responses, problems
from accounts.api.pagination import LINK_HEADER, json_page, json_response
from accounts.domain import errors
from accounts.domain.groups import group_list
from accounts.schemas.groups import GroupCreate, GroupQuery, GroupRead, GroupUpdate, OwnGroupQuery

router = APIRouter(tags=["groups"])
fast_router = APIRouter(tags=["groups"])

GroupId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[1])]
GROUP_ID = TypeAdapter[int](GroupId)
LOCATION: Responses = {
    201: {"headers": {"Location": {"description": "The path of the new group.", "schema": {"type": "string"}}}}
}
GROUP_ERRORS = (*AUTHENTICATED, errors.GroupNotFound, errors.GroupForbidden, errors.AssuranceRequired)
GROUP_CHANGE_ERRORS = (*GROUP_ERRORS, errors.UserNotFound)


def list_groups_parameters(viewer: Viewer, query: Annotated[GroupQuery, Query()]) -> None:
    """Document the parameters of ``list_groups``."""


@fast_get(
    fast_router,
    "/user-groups",
    list_groups_parameters,
    summary="List groups",
    response_model=list[GroupRead],
    responses=LINK_HEADER | problems(errors.BadCursor),
)
async def list_groups(request: Request) -> Response:
    """List groups by name: public ones and, if you are signed in, those that you belong to."""
    query = parse_query(request, GroupQuery)
    async with reading_as_anyone(request) as (db, caller):
        return json_page(request, await group_list.list_groups(db, caller, query))


def list_my_groups_parameters(user: CurrentUser, query: Annotated[OwnGroupQuery, Query()]) -> None:
    """Document the parameters of ``list_my_groups``."""


@fast_get(
    fast_router,
    "/users/me/groups",
    list_my_groups_parameters,
    summary="List my groups",
    response_model=list[GroupRead],
    responses=LINK_HEADER | problems(*AUTHENTICATED, errors.BadCursor),
)
async def list_my_groups(request: Request) -> Response:
    """List the groups that you belong to, with your role, the oldest group first."""
    query = parse_query(request, OwnGroupQuery)
    async with reading(request) as (db, caller):
        return json_page(request, await group_list.list_groups_of(db, caller.id, query))


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


def read_group_parameters(group_id: GroupId, viewer: Viewer) -> None:
    """Document the parameters of ``read_group``."""


@fast_get(
    fast_router,
    "/user-groups/{group_id}",
    read_group_parameters,
    summary="Get a group",
    response_model=GroupRead,
    responses=problems(errors.GroupNotFound, errors.AssuranceRequired),
)
async def read_group(request: Request) -> Response:
    """Return a group. Private groups are visible to their members and to superusers only."""
    group_id = parse_path(request, "group_id", GROUP_ID)
    async with reading_as_anyone(request) as (db, caller):
        return json_response(await group_list.read_group(db, caller, group_id))


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
    responses=problems(*GROUP_CHANGE_ERRORS, errors.ReauthenticationRequired),
)
async def delete_group(group_id: GroupId, user: CurrentUser, groups: GroupManagerDep) -> None:
    """Delete a group with its memberships and invitations. Requires the owner role and, of people, a recent sign-in."""
    await groups.delete(group_id, user)
