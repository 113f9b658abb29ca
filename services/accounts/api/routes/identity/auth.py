"""Signing up, in and out; verifying an address; resetting a password."""

import uuid
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from accounts.api.authentication import BearerStrategyDep, CurrentSession, CurrentUser
from accounts.api.dependencies import SessionManagerDep, UserManagerDep
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
from accounts.models import Purpose, User
from accounts.schemas.identity.auth import EmailInput, PasswordResetInput, RefreshForm, TokenInput, TokenRead
from accounts.schemas.identity.users import RegistrationCreate, UserRead

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post(
    "/jwt/login",
    summary="Sign in",
    responses=problems(errors.LoginBadCredentials, errors.Busy, *RATE_LIMITED),
)
async def login(
    form: LoginFormDep, users: UserManagerDep, strategy: BearerStrategyDep, request: Request, response: Response
) -> TokenRead:
    """Exchange an e-mail address and a password for an access token and a refresh token.

    The form is OAuth 2.0's password grant: `username` is the e-mail address. Send the access token with later
    requests as `Authorization: Bearer …`, and exchange the refresh token before it expires.
    """
    user = await users.sign_in(form)
    return answer(request, response, user.id, await strategy.start(user))


@router.post(
    "/jwt/refresh",
    summary="Refresh the tokens",
    dependencies=[limit_by_client(Attempt.REFRESH)],
    responses=problems(errors.RefreshBadToken, errors.RefreshTokenReused, *RATE_LIMITED),
)
async def refresh(
    form: Annotated[RefreshForm, Form()], sessions: SessionManagerDep, request: Request, response: Response
) -> TokenRead:
    """Exchange a refresh token for the next one and an access token.

    Each works once. For ten seconds it gives the same answer again, to another tab or after a lost answer; later, its
    use ends the session, since somebody has stolen it.
    """
    used, successor = await sessions.refresh(parse_session_token(form.refresh_token))
    return answer(request, response, used.user_id, successor)


def answer(request: Request, response: Response, user_id: uuid.UUID, token: SessionToken) -> TokenRead:
    """Sign an access token for the session of ``token``, and let nobody store either."""
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
    """End the session: its tokens are good for nothing from now on."""
    await sessions.end(user, current.id)


@router.post(
    "/register",
    summary="Sign up",
    status_code=HTTPStatus.CREATED,
    response_model=UserRead,
    dependencies=[limit_by_email(Attempt.REGISTER, RegistrationCreate)],
    responses=problems(
        errors.RegisterInvalidPassword,
        errors.InvitationBadToken,
        errors.InvitationOtherAddress,
        errors.Busy,
        *RATE_LIMITED,
    ),
)
async def register(body: RegistrationCreate, users: UserManagerDep) -> User:
    """Make an account, and mail a token that verifies the address.

    A password is long, not one that many take, and whatever it is composed of. With the token of an invitation, the
    address is verified by it, and the user belongs to the group at once. Where somebody has the address already, the
    answer is the same, with an id that is nobody's, and they are told by mail.
    """
    return await users.register(body)


@router.post(
    "/forgot-password",
    summary="Ask for a reset token",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[limit_by_email(Attempt.FORGOT_PASSWORD)],
    responses={HTTPStatus.ACCEPTED: NO_BODY} | problems(*RATE_LIMITED),
)
async def forgot_password(body: EmailInput, users: UserManagerDep) -> None:
    """Send a token for setting a new password, if there is an active user with this address."""
    await users.request(Purpose.RESET, body.email)


@router.post(
    "/reset-password",
    summary="Set a new password",
    dependencies=[limit_by_client(Attempt.RESET_PASSWORD)],
    responses={HTTPStatus.OK: NO_BODY}
    | problems(errors.ResetPasswordBadToken, errors.ResetPasswordInvalidPassword, errors.Busy, *RATE_LIMITED),
)
async def reset_password(body: PasswordResetInput, users: UserManagerDep, reset_attempts: ResetAttemptsDep) -> None:
    """Use a reset token up. A password that is refused leaves it usable."""
    user = await users.reset_password(body.token, body.password)
    await reset_attempts(user.email)


@router.post(
    "/request-verify-token",
    summary="Ask for a verification token",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[limit_by_email(Attempt.REQUEST_VERIFY)],
    responses={HTTPStatus.ACCEPTED: NO_BODY} | problems(*RATE_LIMITED),
)
async def request_verify_token(body: EmailInput, users: UserManagerDep) -> None:
    """Send a token that proves the address, if there is an active, unverified user with it."""
    await users.request(Purpose.VERIFY, body.email)


@router.post(
    "/verify",
    summary="Verify an address",
    response_model=UserRead,
    dependencies=[limit_by_client(Attempt.VERIFY)],
    responses=problems(errors.VerifyUserBadToken, *RATE_LIMITED),
)
async def verify(body: TokenInput, users: UserManagerDep) -> User:
    """Use a verification token up."""
    return await users.verify(body.token)


@router.post(
    "/confirm-email",
    summary="Confirm a new address",
    response_model=UserRead,
    dependencies=[limit_by_client(Attempt.VERIFY)],
    responses=problems(errors.ConfirmEmailBadToken, errors.UpdateUserEmailAlreadyExists, *RATE_LIMITED),
)
async def confirm_email(body: TokenInput, users: UserManagerDep) -> User:
    """Use a token up that was sent to a new address, which is the user's from now on; all sessions end.

    The address before is told, with a token that takes the change back within a week.
    """
    return await users.confirm_email(body.token)


@router.post(
    "/undo-email",
    summary="Take a change of address back",
    response_model=UserRead,
    dependencies=[limit_by_client(Attempt.VERIFY)],
    responses=problems(errors.UndoEmailBadToken, errors.UpdateUserEmailAlreadyExists, *RATE_LIMITED),
)
async def undo_email(body: TokenInput, users: UserManagerDep) -> User:
    """Use a token up that was sent to the address before a change. All sessions end, and a reset token is mailed."""
    return await users.undo_email(body.token)
