"""Recovery of an account: reset a forgotten password, confirm or undo a change of the email address."""

from http import HTTPStatus

from fastapi import APIRouter

from accounts.api.dependencies import EmailChangeDep, PasswordResetDep
from accounts.api.openapi import NO_BODY, problems
from accounts.api.rate_limits import RATE_LIMITED, ResetAttemptsDep, limit_by_client, limit_by_email
from accounts.domain import errors
from accounts.domain.rate_limits.rules import Attempt
from accounts.models import User
from accounts.schemas.identity.auth import EmailInput, PasswordResetInput, TokenInput
from accounts.schemas.identity.users import UserRead

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post(
    "/forgot-password",
    summary="Request a password reset",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[limit_by_email(Attempt.FORGOT_PASSWORD)],
    responses={HTTPStatus.ACCEPTED: NO_BODY} | problems(*RATE_LIMITED),
)
async def forgot_password(body: EmailInput, resets: PasswordResetDep) -> None:
    """Send a reset token if an active user has this email. The response is always the same."""
    await resets.request(body.email)


@router.post(
    "/reset-password",
    summary="Reset the password",
    dependencies=[limit_by_client(Attempt.RESET_PASSWORD)],
    responses={HTTPStatus.OK: NO_BODY}
    | problems(errors.ResetPasswordBadToken, errors.ResetPasswordInvalidPassword, errors.Busy, *RATE_LIMITED),
)
async def reset_password(body: PasswordResetInput, resets: PasswordResetDep, reset_attempts: ResetAttemptsDep) -> None:
    """Set a new password with a reset token, and end all sessions. A refused password leaves the token valid."""
    user = await resets.reset(body.token, body.password)
    await reset_attempts(user.email)


@router.post(
    "/confirm-email",
    summary="Confirm a new email",
    response_model=UserRead,
    dependencies=[limit_by_client(Attempt.VERIFY)],
    responses=problems(errors.ConfirmEmailBadToken, errors.UpdateUserEmailAlreadyExists, *RATE_LIMITED),
)
async def confirm_email(body: TokenInput, changes: EmailChangeDep) -> User:
    """Change the email with the token that was sent to the new one, and end all sessions.

    The previous email is notified. The token in that mail undoes the change within a week.
    """
    return await changes.confirm(body.token)


@router.post(
    "/undo-email",
    summary="Undo an email change",
    response_model=UserRead,
    dependencies=[limit_by_client(Attempt.VERIFY)],
    responses=problems(errors.UndoEmailBadToken, errors.UpdateUserEmailAlreadyExists, *RATE_LIMITED),
)
async def undo_email(body: TokenInput, changes: EmailChangeDep) -> User:
    """Restore the previous email with the token that was sent to it, end all sessions, and send a reset token."""
    return await changes.undo(body.token)
