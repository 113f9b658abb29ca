"""Accept and decline invitations: by token, or, with a verified email, from your own list."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import OwnInvitationManagerDep
from accounts.api.fast_routes import fast_get, parse_query, reading
from accounts.api.openapi import AUTHENTICATED, problems
from accounts.api.pagination import LINK_HEADER, json_page
from accounts.api.rate_limits import RATE_LIMITED, limit_by_client
from accounts.api.routes.invitations.sending import InvitationId
from accounts.domain import errors
from accounts.domain.invitations import invitation_list
from accounts.domain.rate_limits.rules import Attempt
from accounts.schemas.groups import GroupRead
from accounts.schemas.identity.auth import TokenInput
from accounts.schemas.invitations import OwnInvitationRead
from accounts.schemas.pagination import PageQuery

router = APIRouter(tags=["invitations"])
fast_router = APIRouter(tags=["invitations"])


def list_my_invitations_parameters(user: CurrentUser, query: Annotated[PageQuery, Query()]) -> None:
    """Document the parameters of ``list_my_invitations``."""


@fast_get(
    fast_router,
    "/users/me/invitations",
    list_my_invitations_parameters,
    summary="List my invitations",
    response_model=list[OwnInvitationRead],
    responses=LINK_HEADER | problems(*AUTHENTICATED, errors.BadCursor),
)
async def list_my_invitations(request: Request) -> Response:
    """List the open invitations to your email, the oldest first. The list is empty until your email is verified."""
    query = parse_query(request, PageQuery)
    async with reading(request) as (db, caller):
        return json_page(request, await invitation_list.list_sent_to(db, caller, query))


@router.post(
    "/users/me/invitations/{invitation_id}/accept",
    summary="Accept one of my invitations",
    responses=problems(*AUTHENTICATED, errors.InvitationNotFound, errors.UserNotFound),
)
async def accept_my_invitation(
    invitation_id: InvitationId, user: CurrentUser, invitations: OwnInvitationManagerDep
) -> GroupRead:
    """Join the group. If you are a member already, your role does not change."""
    return await invitations.accept(invitation_id, user)


@router.delete(
    "/users/me/invitations/{invitation_id}",
    summary="Decline one of my invitations",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*AUTHENTICATED, errors.InvitationNotFound),
)
async def decline_my_invitation(
    invitation_id: InvitationId, user: CurrentUser, invitations: OwnInvitationManagerDep
) -> None:
    """Delete the invitation. The inviter is not notified."""
    await invitations.decline(invitation_id, user)


@router.post(
    "/invitations/accept",
    summary="Accept an invitation by its token",
    dependencies=[limit_by_client(Attempt.INVITATION)],
    responses=problems(
        *AUTHENTICATED, errors.InvitationBadToken, errors.InvitationOtherAddress, errors.UserNotFound, *RATE_LIMITED
    ),
)
async def accept_invitation(body: TokenInput, user: CurrentUser, invitations: OwnInvitationManagerDep) -> GroupRead:
    """Join the group with the token of an invitation, which also verifies your email.

    If you are a member already, your role does not change. Without an account, send the token to `/auth/register`.
    """
    return await invitations.accept_token(body.token, user)


@router.post(
    "/invitations/decline",
    summary="Decline an invitation by its token",
    status_code=HTTPStatus.NO_CONTENT,
    dependencies=[limit_by_client(Attempt.INVITATION)],
    responses=problems(errors.InvitationBadToken, *RATE_LIMITED),
)
async def decline_invitation(body: TokenInput, invitations: OwnInvitationManagerDep) -> None:
    """Delete the invitation. No account is needed, and the inviter is not notified."""
    await invitations.decline_token(body.token)
