"""Members of groups and their roles; import and export."""

import uuid
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import JSONResponse

from accounts.api.authentication import CurrentUser, Viewer
from accounts.api.dependencies import InvitationManagerDep, MemberManagerDep
from accounts.api.fast_routes import fast_get, fast_reader, parse_path, parse_query
from accounts.api.openapi import problems
from accounts.api.pagination import LINK_HEADER, json_page
from accounts.api.rate_limits import RATE_LIMITED, InvitationLimitDep, SenderLimitDep
from accounts.api.routes.groups.groups import GROUP_CHANGE_ERRORS, GROUP_ID, GroupId
from accounts.domain import errors
from accounts.domain.groups import member_list
from accounts.schemas.groups import MemberQuery, MemberRead, RoleInput, TransferInput
from accounts.schemas.invitations import InvitationRead

router = APIRouter(prefix="/user-groups/{group_id}", tags=["members"])
fast_router = APIRouter(prefix="/user-groups/{group_id}", tags=["members"])
OWNER_ERRORS = (errors.LastOwner, errors.UserInactive, errors.ReauthenticationRequired)


def list_members_parameters(group_id: GroupId, viewer: Viewer, query: Annotated[MemberQuery, Query()]) -> None:
    """Document the parameters of ``list_members``."""


@fast_get(
    fast_router,
    "/users",
    list_members_parameters,
    summary="List a group's members",
    response_model=list[MemberRead],
    response_model_exclude_none=True,
    responses=LINK_HEADER
    | problems(errors.GroupNotFound, errors.GroupForbidden, errors.AssuranceRequired, errors.BadCursor),
)
async def list_members(request: Request) -> Response:
    """List a group's members. Emails are shown to members of the group and superusers only.

    Admins also see who has a second factor.
    """
    group_id = parse_path(request, "group_id", GROUP_ID)
    query = parse_query(request, MemberQuery)
    page = await member_list.list_members(await fast_reader(request), group_id, query)
    return json_page(request, page)


@router.put(
    "/users/{user_id:uuid}",
    summary="Invite or add a user, or set a member's role",
    response_model=MemberRead,
    response_model_exclude_none=True,
    responses=problems(
        *GROUP_CHANGE_ERRORS,
        *OWNER_ERRORS,
        errors.VerifiedEmailRequired,
        errors.AlreadyMember,
        errors.InvitationExists,
        *RATE_LIMITED,
    )
    | {
        HTTPStatus.CREATED: {"model": MemberRead, "description": "A superuser added the user."},
        HTTPStatus.ACCEPTED: {"model": InvitationRead, "description": "The user was invited."},
    },
)
async def put_member(
    group_id: GroupId,
    user_id: uuid.UUID,
    body: RoleInput,
    user: CurrentUser,
    members: MemberManagerDep,
    invitations: InvitationManagerDep,
    check_sender: SenderLimitDep,
    check_limit: InvitationLimitDep,
    response: Response,
) -> MemberRead | Response:
    """Set the role of a member, or invite a user who is not a member. Requires the admin role.

    Granting or changing `owner` requires the owner role and, of people, a recent sign-in. The invited user becomes a
    member by accepting; until then you do not see their email. Inviting requires a verified email. Superusers add any
    active user directly.
    """
    await check_sender(user)
    outcome = await members.put(group_id, user_id, body.role, user)
    if outcome is None:
        await check_limit()
        invitation = await invitations.create_for_user(group_id, user_id, body.role, user)
        return JSONResponse(invitation.model_dump(mode="json"), HTTPStatus.ACCEPTED)
    member, added = outcome
    if added:
        response.status_code = HTTPStatus.CREATED
    return member


@router.patch(
    "/users/{user_id:uuid}",
    summary="Change a member's role",
    response_model_exclude_none=True,
    responses=problems(*GROUP_CHANGE_ERRORS, errors.MemberNotFound, *OWNER_ERRORS, *RATE_LIMITED),
)
async def update_member(
    group_id: GroupId,
    user_id: uuid.UUID,
    body: RoleInput,
    user: CurrentUser,
    members: MemberManagerDep,
    check_sender: SenderLimitDep,
) -> MemberRead:
    """Change a member's role. Requires the admin role.

    Granting or changing `owner` requires the owner role and, of people, a recent sign-in.
    """
    await check_sender(user)
    return await members.change(group_id, user_id, body.role, user)


@router.delete(
    "/users/{user_id:uuid}",
    summary="Remove a member or leave",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*GROUP_CHANGE_ERRORS, errors.MemberNotFound, errors.LastOwner, errors.ReauthenticationRequired),
)
async def remove_member(group_id: GroupId, user_id: uuid.UUID, user: CurrentUser, members: MemberManagerDep) -> None:
    """Remove a member, or leave the group with your own id.

    Removing others requires the admin role; removing another owner requires the owner role and, of people, a recent
    sign-in.
    """
    await members.remove(group_id, user_id, user)


@router.post(
    "/transfer",
    summary="Transfer ownership",
    response_model_exclude_none=True,
    responses=problems(*GROUP_CHANGE_ERRORS, errors.MemberNotFound, *OWNER_ERRORS, *RATE_LIMITED),
)
async def transfer_group(
    group_id: GroupId,
    body: TransferInput,
    user: CurrentUser,
    members: MemberManagerDep,
    check_sender: SenderLimitDep,
) -> MemberRead:
    """Make a member an owner, and become an admin yourself.

    Requires the owner role and, of people, a recent sign-in.
    """
    await check_sender(user)
    return await members.transfer(group_id, body.user_id, user)
