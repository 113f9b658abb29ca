"""The change of the current user's email that waits for its confirmation."""

from http import HTTPStatus

from fastapi import APIRouter

from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import EmailChangeDep
from accounts.api.openapi import AUTHENTICATED, NO_BODY, problems
from accounts.api.rate_limits import RATE_LIMITED, EmailChangeLimitDep, SenderLimitDep
from accounts.domain import errors
from accounts.schemas.identity.users import EmailChangeRead

router = APIRouter(prefix="/users/me/email-change", tags=["users"])


@router.get(
    "",
    summary="Get the pending change of my email",
    response_model=EmailChangeRead,
    responses=problems(*AUTHENTICATED, errors.EmailChangeNotFound),
)
async def read_email_change(user: CurrentUser, changes: EmailChangeDep) -> object:
    """Return the new email, and when the token was requested. `PATCH /users/me` requests a change."""
    return await changes.get(user)


@router.post(
    "/resend",
    summary="Resend the token that confirms my new email",
    status_code=HTTPStatus.ACCEPTED,
    responses={HTTPStatus.ACCEPTED: NO_BODY} | problems(*AUTHENTICATED, errors.EmailChangeNotFound, *RATE_LIMITED),
)
async def resend_email_change(
    user: CurrentUser, changes: EmailChangeDep, check_sender: SenderLimitDep, check_email_limit: EmailChangeLimitDep
) -> None:
    """Send another token to the new email. The earlier one stops working."""
    change = await changes.get(user)
    await check_sender(user)
    await check_email_limit(change.email)
    await changes.resend(user)


@router.delete(
    "",
    summary="Cancel the pending change of my email",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*AUTHENTICATED),
)
async def cancel_email_change(user: CurrentUser, changes: EmailChangeDep) -> None:
    """Revoke the token that was sent to the new email. The response is the same if no change is pending."""
    await changes.cancel(user)
