"""Groups and their members, as far as the caller may see them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from accounts.api.authentication import Viewer
from accounts.api.dependencies import GroupManagerDep
from accounts.api.openapi import problems
from accounts.api.pages import PAGED, add_link
from accounts.domain import errors
from accounts.models import UserGroup
from accounts.schemas.group import GroupRead, MemberRead
from accounts.schemas.page import PageQuery

router = APIRouter(prefix="/user-groups", tags=["groups"])

GroupId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[1])]
PageDep = Annotated[PageQuery, Query()]


@router.get("", summary="List groups", response_model=list[GroupRead], responses=PAGED | problems(errors.BadCursor))
async def list_groups(
    request: Request, response: Response, viewer: Viewer, groups: GroupManagerDep, query: PageDep
) -> Sequence[UserGroup]:
    """The public groups, and with a token one's own, by name."""
    page = await groups.list(viewer, query)
    add_link(request, response, page)
    return page.rows


@router.get("/{group_id}", summary="Read a group", response_model=GroupRead, responses=problems(errors.GroupNotFound))
async def read_group(group_id: GroupId, viewer: Viewer, groups: GroupManagerDep) -> UserGroup:
    """A private group exists for its members and for superusers only."""
    return await groups.get(group_id, viewer)


@router.get(
    "/{group_id}/users",
    summary="List a group's members",
    response_model=list[MemberRead],
    response_model_exclude_none=True,
    responses=PAGED | problems(errors.GroupNotFound, errors.BadCursor),
)
async def list_members(
    group_id: GroupId,
    request: Request,
    response: Response,
    viewer: Viewer,
    groups: GroupManagerDep,
    query: PageDep,
) -> Sequence[MemberRead]:
    """The members of a group that the caller may see; their addresses are for fellow members and superusers."""
    page = await groups.members(group_id, viewer, query)
    add_link(request, response, page)
    return page.rows
