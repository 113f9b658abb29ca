"""Signing up, in and out; verifying an address; resetting a password."""

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
    THROTTLED,
    LoginFormDep,
    ResetAttemptsDep,
    limit_by_client,
    limit_by_email,
    limit_registration,
)
from accounts.domain import errors
from accounts.domain.rate_limits.rules import Attempt
from accounts.domain.sessions.session_token import SessionToken, parse_session_token
from accounts.models import User
from accounts.schemas.identity.auth import EmailInput, PasswordResetInput, RefreshForm, TokenInput, TokenRead
from accounts.schemas.identity.users import RegistrationCreate, UserRead

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post(
    "/jwt/login",
    summary="Sign in",
    responses=problems(errors.LoginBadCredentials, errors.Busy, *THROTTLED),
)
async def login(
    form: LoginFormDep, sign_in: SignInDep, strategy: BearerStrategyDep, request: Request, response: Response
) -> TokenRead:
    """Exchange an e-mail address and a password for an access token and a refresh token.

    The form is OAuth 2.0's password grant: `username` is the e-mail address. Send the access token with later
    requests as `Authorization: Bearer …`, and exchange the refresh token before it expires.
    """
    user = await sign_in.sign_in(form.username, form.password)
    return answer(request, response, user.id, await strategy.start(user))


@router.post(
    "/jwt/refresh",
    summary="Refresh the tokens",
    dependencies=[limit_by_client(Attempt.REFRESH)],
    responses=problems(errors.RefreshBadToken, errors.RefreshTokenReused, *THROTTLED),
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
    await sessions.revoke(user, current.id)


@router.post(
    "/register",
    summary="Sign up",
    status_code=HTTPStatus.CREATED,
    response_model=UserRead,
    dependencies=[limit_registration],
    responses=problems(
        errors.RegisterInvalidPassword,
        errors.InvitationBadToken,
        errors.InvitationOtherAddress,
        errors.Busy,
        *THROTTLED,
    ),
)
async def register(user_create: RegistrationCreate, registration: RegistrationDep) -> User:
    """Make an account, and mail a token that verifies the address.

    A password is long, not one that many take, and whatever it is composed of. With the token of an invitation, the
    address is verified by it, and the user belongs to the group at once. Where somebody has the address already, the
    answer is the same, with an id that is nobody's, and they are told by mail.
    """
    return await registration.register(user_create)


@router.post(
    "/forgot-password",
    summary="Ask for a reset token",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[limit_by_email(Attempt.FORGOT_PASSWORD)],
    responses={HTTPStatus.ACCEPTED: NO_BODY} | problems(*THROTTLED),
)
async def forgot_password(body: EmailInput, resets: PasswordResetDep) -> None:
    """Send a token for setting a new password, if there is an active user with this address."""
    await resets.request(body.email)


@router.post(
    "/reset-password",
    summary="Set a new password",
    dependencies=[limit_by_client(Attempt.RESET_PASSWORD)],
    responses={HTTPStatus.OK: NO_BODY}
    | problems(errors.ResetPasswordBadToken, errors.ResetPasswordInvalidPassword, errors.Busy, *THROTTLED),
)
async def reset_password(body: PasswordResetInput, resets: PasswordResetDep, welcome: ResetAttemptsDep) -> None:
    """Use a reset token up. A password that is refused leaves it usable."""
    user = await resets.reset(body.token, body.password)
    await welcome(user.email)


@router.post(
    "/request-verify-token",
    summary="Ask for a verification token",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[limit_by_email(Attempt.REQUEST_VERIFY)],
    responses={HTTPStatus.ACCEPTED: NO_BODY} | problems(*THROTTLED),
)
async def request_verify_token(body: EmailInput, verification: VerificationDep) -> None:
    """Send a token that proves the address, if there is an active, unverified user with it."""
    await verification.request(body.email)


@router.post(
    "/verify",
    summary="Verify an address",
    response_model=UserRead,
    dependencies=[limit_by_client(Attempt.VERIFY)],
    responses=problems(errors.VerifyUserBadToken, *THROTTLED),
)
async def verify(body: TokenInput, verification: VerificationDep) -> User:
    """Use a verification token up."""
    return await verification.verify(body.token)


@router.post(
    "/confirm-email",
    summary="Confirm a new address",
    response_model=UserRead,
    dependencies=[limit_by_client(Attempt.VERIFY)],
    responses=problems(errors.ConfirmEmailBadToken, errors.UpdateUserEmailAlreadyExists, *THROTTLED),
)
async def confirm_email(body: TokenInput, changes: EmailChangeDep) -> User:
    """Use a token up that was sent to a new address, which is the user's from now on; all sessions end.

    The address before is told, with a token that takes the change back within a week.
    """
    return await changes.confirm(body.token)


@router.post(
    "/undo-email",
    summary="Take a change of address back",
    response_model=UserRead,
    dependencies=[limit_by_client(Attempt.VERIFY)],
    responses=problems(errors.UndoEmailBadToken, errors.UpdateUserEmailAlreadyExists, *THROTTLED),
)
async def undo_email(body: TokenInput, changes: EmailChangeDep) -> User:
    """Use a token up that was sent to the address before a change. All sessions end, and a reset token is mailed."""
    return await changes.undo(body.token)
