"""Invitations to groups, by email."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import InvitationManagerDep
from accounts.api.fast_routes import fast_get, parse_path, parse_query, reading
from accounts.api.openapi import problems
from accounts.api.pagination import LINK_HEADER, json_page
from accounts.api.rate_limits import RATE_LIMITED, InvitationLimitDep, SenderLimitDep
from accounts.api.routes.groups.groups import GROUP_CHANGE_ERRORS, GROUP_ERRORS, GROUP_ID, GroupId
from accounts.domain import errors
from accounts.domain.invitations import invitation_list
from accounts.schemas.invitations import InvitationCreate, InvitationRead
from accounts.schemas.pagination import PageQuery

router = APIRouter(prefix="/user-groups/{group_id}/invitations", tags=["invitations"])
fast_router = APIRouter(tags=["invitations"])

InvitationId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[1])]


@router.post(
    "",
    summary="Invite someone by email",
    status_code=HTTPStatus.CREATED,
    responses=problems(
        *GROUP_CHANGE_ERRORS,
        errors.VerifiedEmailRequired,
        errors.AlreadyMember,
        errors.InvitationExists,
        errors.ReauthenticationRequired,
        *RATE_LIMITED,
    ),
)
async def create_invitation(
    group_id: GroupId,
    body: InvitationCreate,
    user: CurrentUser,
    invitations: InvitationManagerDep,
    check_limit: InvitationLimitDep,
    check_sender: SenderLimitDep,
) -> InvitationRead:
    """Send an invitation to an email, with or without an account. Requires the admin role and a verified email.

    Inviting an owner requires the owner role. The token in the mail works once, until the invitation expires.
    """
    await check_sender(user)
    await check_limit()
    return await invitations.create(group_id, body, user)


def list_invitations_parameters(group_id: GroupId, user: CurrentUser, query: Annotated[PageQuery, Query()]) -> None:
    """Document the parameters of ``list_invitations``."""


@fast_get(
    fast_router,
    "/user-groups/{group_id}/invitations",
    list_invitations_parameters,
    summary="List a group's invitations",
    response_model=list[InvitationRead],
    responses=LINK_HEADER | problems(*GROUP_ERRORS, errors.BadCursor),
)
async def list_invitations(request: Request) -> Response:
    """List the open invitations of a group, the oldest first. Requires the admin role.

    Expired invitations are not listed; their emails can be invited again.
    """
    group_id, query = parse_path(request, "group_id", GROUP_ID), parse_query(request, PageQuery)
    async with reading(request) as (db, caller):
        return json_page(request, await invitation_list.list_of_group(db, caller, group_id, query))


@router.post(
    "/{invitation_id}/resend",
    summary="Resend an invitation",
    responses=problems(*GROUP_CHANGE_ERRORS, errors.VerifiedEmailRequired, errors.InvitationNotFound, *RATE_LIMITED),
)
async def resend_invitation(
    group_id: GroupId,
    invitation_id: InvitationId,
    user: CurrentUser,
    invitations: InvitationManagerDep,
    check_limit: InvitationLimitDep,
    check_sender: SenderLimitDep,
) -> InvitationRead:
    """Send a new token with the same lifetime. Earlier tokens stop working.

    Requires the admin role and a verified email.
    """
    await check_sender(user)
    await check_limit()
    return await invitations.resend(group_id, invitation_id, user)


@router.delete(
    "/{invitation_id}",
    summary="Revoke an invitation",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*GROUP_CHANGE_ERRORS, errors.InvitationNotFound),
)
async def revoke_invitation(
    group_id: GroupId, invitation_id: InvitationId, user: CurrentUser, invitations: InvitationManagerDep
) -> None:
    """Delete an invitation; its token stops working. Requires the admin role, or for owners the owner role."""
    await invitations.revoke(group_id, invitation_id, user)
