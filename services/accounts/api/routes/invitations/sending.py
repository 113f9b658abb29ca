"""Invitations into a group, for whoever may invite."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import InvitationManagerDep
from accounts.api.openapi import problems
from accounts.api.pagination import LINK_HEADER, add_link_header
from accounts.api.rate_limits import THROTTLED, CountInvitationDep
from accounts.api.routes.groups.groups import GROUP_ERRORS, GroupId
from accounts.domain import errors
from accounts.schemas.invitations import InvitationCreate, InvitationRead
from accounts.schemas.pagination import PageQuery

router = APIRouter(prefix="/user-groups/{group_id}/invitations", tags=["invitations"])

InvitationId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[1])]


@router.post(
    "",
    summary="Invite an address",
    status_code=HTTPStatus.CREATED,
    responses=problems(*GROUP_ERRORS, errors.UserNotFound, errors.AlreadyMember, errors.InvitationExists, *THROTTLED),
)
async def create_invitation(
    group_id: GroupId,
    body: InvitationCreate,
    user: CurrentUser,
    invitations: InvitationManagerDep,
    count: CountInvitationDep,
) -> InvitationRead:
    """Send a token to an address, whether or not somebody has an account with it: for admins.

    Owners are invited by owners. The token lets whoever has the address join, once, before the invitation expires.
    """
    await count(body.email)
    return await invitations.create(group_id, body, user)


@router.get("", summary="List a group's invitations", responses=LINK_HEADER | problems(*GROUP_ERRORS, errors.BadCursor))
async def list_invitations(
    group_id: GroupId,
    request: Request,
    response: Response,
    user: CurrentUser,
    invitations: InvitationManagerDep,
    query: Annotated[PageQuery, Query()],
) -> Sequence[InvitationRead]:
    """The open invitations, the oldest first: for admins. What has expired is not shown, and can be invited anew."""
    page = await invitations.list(group_id, user, query)
    add_link_header(request, response, page)
    return page.rows


@router.post(
    "/{invitation_id}/resend",
    summary="Send an invitation again",
    responses=problems(*GROUP_ERRORS, errors.InvitationNotFound, *THROTTLED),
)
async def resend_invitation(
    group_id: GroupId,
    invitation_id: InvitationId,
    user: CurrentUser,
    invitations: InvitationManagerDep,
    count: CountInvitationDep,
) -> InvitationRead:
    """Send a new token, good for as long as the first one was: for admins. The one before is dead from now on."""
    await count(await invitations.get_email(group_id, invitation_id, user))
    return await invitations.resend(group_id, invitation_id, user)


@router.delete(
    "/{invitation_id}",
    summary="Revoke an invitation",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*GROUP_ERRORS, errors.InvitationNotFound),
)
async def revoke_invitation(
    group_id: GroupId, invitation_id: InvitationId, user: CurrentUser, invitations: InvitationManagerDep
) -> None:
    """End an invitation and its token: for admins; for owners where the role is `owner`."""
    await invitations.revoke(group_id, invitation_id, user)
