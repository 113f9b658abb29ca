"""Answers to invitations: by their tokens, and, for a verified address, without."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import OwnInvitationManagerDep
from accounts.api.openapi import AUTHENTICATED, problems
from accounts.api.pagination import LINK_HEADER, add_link_header
from accounts.api.rate_limits import THROTTLED, limit_by_client
from accounts.api.routes.invitations.sending import InvitationId
from accounts.domain import errors
from accounts.domain.rate_limits.rules import Attempt
from accounts.schemas.groups import GroupRead
from accounts.schemas.identity.auth import TokenInput
from accounts.schemas.invitations import OwnInvitationRead
from accounts.schemas.pagination import PageQuery

router = APIRouter(tags=["invitations"])


@router.get(
    "/users/me/invitations",
    summary="List one's own invitations",
    responses=LINK_HEADER | problems(*AUTHENTICATED, errors.BadCursor),
)
async def list_my_invitations(
    request: Request,
    response: Response,
    user: CurrentUser,
    invitations: OwnInvitationManagerDep,
    query: Annotated[PageQuery, Query()],
) -> Sequence[OwnInvitationRead]:
    """The open invitations of one's address, the oldest first; none as long as the address is not verified."""
    page = await invitations.list(user, query)
    add_link_header(request, response, page)
    return page.rows


@router.post(
    "/users/me/invitations/{invitation_id}/accept",
    summary="Accept one of one's own invitations",
    responses=problems(*AUTHENTICATED, errors.InvitationNotFound, errors.UserNotFound),
)
async def accept_my_invitation(
    invitation_id: InvitationId, user: CurrentUser, invitations: OwnInvitationManagerDep
) -> GroupRead:
    """Join the group. Whoever belongs to it already stays what they are."""
    return await invitations.accept(invitation_id, user)


@router.delete(
    "/users/me/invitations/{invitation_id}",
    summary="Decline one of one's own invitations",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*AUTHENTICATED, errors.InvitationNotFound),
)
async def decline_my_invitation(
    invitation_id: InvitationId, user: CurrentUser, invitations: OwnInvitationManagerDep
) -> None:
    """End the invitation. Nobody is told."""
    await invitations.decline(invitation_id, user)


@router.post(
    "/invitations/accept",
    summary="Accept an invitation by its token",
    dependencies=[limit_by_client(Attempt.INVITATION)],
    responses=problems(
        *AUTHENTICATED, errors.InvitationBadToken, errors.InvitationOtherAddress, errors.UserNotFound, *THROTTLED
    ),
)
async def accept_invitation(body: TokenInput, user: CurrentUser, invitations: OwnInvitationManagerDep) -> GroupRead:
    """Join the group. The token was sent to the address, which is verified by it.

    Whoever belongs to the group already stays what they are. Without an account, sign up with the token instead.
    """
    return await invitations.accept_token(body.token, user)


@router.post(
    "/invitations/decline",
    summary="Decline an invitation by its token",
    status_code=HTTPStatus.NO_CONTENT,
    dependencies=[limit_by_client(Attempt.INVITATION)],
    responses=problems(errors.InvitationBadToken, *THROTTLED),
)
async def decline_invitation(body: TokenInput, invitations: OwnInvitationManagerDep) -> None:
    """End the invitation; it takes no account."""
    await invitations.decline_token(body.token)
