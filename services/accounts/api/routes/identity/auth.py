"""Sign-up, sign-in and sign-out with tokens; email verification and password reset."""

import uuid
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from accounts.api.authentication import BearerStrategyDep, CurrentSession, CurrentUser
from accounts.api.dependencies import (
    EmailChangeDep,
    PasswordResetDep,
    RegistrationDep,
    SessionManagerDep,
    SignInDep,
    VerificationDep,
)
from accounts.api.openapi import AUTHENTICATED, NO_BODY, problems
from accounts.api.rate_limits import (
    RATE_LIMITED,
    LoginFormDep,
    ResetAttemptsDep,
    limit_by_client,
    limit_by_email,
)
from accounts.domain import errors
from accounts.domain.rate_limits.rules import Attempt
from accounts.domain.sessions.session_token import SessionToken, parse_session_token
from accounts.models import User
from accounts.schemas.identity.auth import (
    EmailInput,
    PasswordResetInput,
    RefreshForm,
    RegistrationCompletion,
    TokenInput,
    TokenRead,
)
from accounts.schemas.identity.users import RegistrationCreate, UserRead

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post(
    "/jwt/login",
    summary="Sign in",
    responses=problems(errors.LoginBadCredentials, errors.Busy, *RATE_LIMITED),
)
async def login(
    form: LoginFormDep, sign_in: SignInDep, strategy: BearerStrategyDep, request: Request, response: Response
) -> TokenRead:
    """Exchange an email and a password for an access token and a refresh token.

    The form is OAuth 2.0's password grant: `username` is the email. Send the access token with later requests as
    `Authorization: Bearer …`. When it expires, use the refresh token at `/auth/jwt/refresh`.
    """
    user = await sign_in.authenticate(form.username, form.password)
    return token_response(request, response, user.id, await strategy.start(user))


@router.post(
    "/jwt/refresh",
    summary="Refresh the tokens",
    dependencies=[limit_by_client(Attempt.REFRESH)],
    responses=problems(errors.RefreshBadToken, errors.RefreshTokenReused, *RATE_LIMITED),
)
async def refresh(
    form: Annotated[RefreshForm, Form()], sessions: SessionManagerDep, request: Request, response: Response
) -> TokenRead:
    """Exchange a refresh token for a new access token and a new refresh token.

    Each refresh token works once. For ten seconds it returns the same tokens again, for other tabs and lost responses.
    Using it later ends the session, since the token may be stolen.
    """
    used, successor = await sessions.refresh(parse_session_token(form.refresh_token))
    return token_response(request, response, used.user_id, successor)


def token_response(request: Request, response: Response, user_id: uuid.UUID, token: SessionToken) -> TokenRead:
    """Sign an access token for the session of ``token``. The response must not be cached."""
    response.headers["Cache-Control"] = "no-store"  # RFC 6749, 5.1
    return TokenRead(
        access_token=request.state.keys.sign(user_id, token.session_id),
        expires_in=request.state.settings.access_token_seconds,
        refresh_token=str(token),
    )


@router.post(
    "/jwt/logout",
    summary="Sign out",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*AUTHENTICATED),
)
async def logout(user: CurrentUser, current: CurrentSession, sessions: SessionManagerDep) -> None:
    """End the current session. Its tokens stop working at once."""
    await sessions.revoke(user, current.id)


@router.post(
    "/register",
    summary="Sign up",
    status_code=HTTPStatus.CREATED,
    response_model=UserRead,
    dependencies=[limit_by_email(Attempt.REGISTER)],
    responses=problems(
        errors.RegisterInvalidPassword,
        errors.RegisterInvitationRequired,
        errors.RegisterClosed,
        errors.InvitationBadToken,
        errors.InvitationOtherAddress,
        errors.Busy,
        *RATE_LIMITED,
    ),
)
async def register(body: RegistrationCreate, registration: RegistrationDep) -> User:
    """Create an account, and send a token by mail.

    The setting `SIGN_UP` says how. `verified`: the account exists once the token is used at
    `/auth/complete-registration`. `open`: it exists at once, and the token verifies the email at `/auth/verify`.
    `invited` and `closed`: 403 without an invitation, or always.

    With the token of an invitation, the email is verified at once and the user joins the group. If the email has an
    account already, the response looks the same, with a random id, and its owner is notified by mail. Passwords must be
    long enough and not among the common ones; there are no rules on their characters.
    """
    return await registration.register(body)


@router.post(
    "/complete-registration",
    summary="Complete a sign-up",
    status_code=HTTPStatus.CREATED,
    response_model=UserRead,
    dependencies=[limit_by_client(Attempt.VERIFY)],
    responses=problems(
        errors.RegisterBadToken,
        errors.RegisterInvalidPassword,
        errors.RegisterUserAlreadyExists,
        errors.Busy,
        *RATE_LIMITED,
    ),
)
async def complete_registration(body: RegistrationCompletion, registration: RegistrationDep) -> User:
    """Create the account of a mailed token, with a verified email. A refused password leaves the token valid."""
    return await registration.complete(body.token, body.password)


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
    "/request-verify-token",
    summary="Request a verification token",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[limit_by_email(Attempt.REQUEST_VERIFY)],
    responses={HTTPStatus.ACCEPTED: NO_BODY} | problems(*RATE_LIMITED),
)
async def request_verify_token(body: EmailInput, verification: VerificationDep) -> None:
    """Send a verification token if an active, unverified user has this email. The response is always the same."""
    await verification.request(body.email)


@router.post(
    "/verify",
    summary="Verify an email",
    response_model=UserRead,
    dependencies=[limit_by_client(Attempt.VERIFY)],
    responses=problems(errors.VerifyUserBadToken, *RATE_LIMITED),
)
async def verify(body: TokenInput, verification: VerificationDep) -> User:
    """Mark the email as verified with a verification token."""
    return await verification.verify(body.token)


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
