"""Signing up, in and out; verifying an address; resetting a password."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from accounts.api.authentication import CurrentUser, StrategyDep
from accounts.api.dependencies import UserManagerDep
from accounts.api.openapi import AUTHENTICATED, problems
from accounts.domain import errors
from accounts.models import Purpose, User
from accounts.schemas.auth import EmailInput, LoginForm, ResetInput, TokenInput, TokenRead
from accounts.schemas.user import UserCreate, UserRead

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post("/jwt/login", summary="Sign in", responses=problems(errors.LoginBadCredentials, errors.Busy))
async def login(
    form: Annotated[LoginForm, Depends()],
    users: UserManagerDep,
    strategy: StrategyDep,
    request: Request,
    response: Response,
) -> TokenRead:
    """Exchange an e-mail address and a password for an access token.

    The form is OAuth 2.0's password grant: `username` is the e-mail address. Send the token with later
    requests as `Authorization: Bearer …`.
    """
    user = await users.sign_in(form)
    response.headers["Cache-Control"] = "no-store"  # RFC 6749, 5.1
    return TokenRead(
        access_token=await strategy.write_token(user), expires_in=request.state.settings.access_token_seconds
    )


@router.post(
    "/jwt/logout",
    summary="Sign out",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*AUTHENTICATED),
)
async def logout(_: CurrentUser) -> None:
    """End the session."""


@router.post(
    "/register",
    summary="Sign up",
    status_code=HTTPStatus.CREATED,
    response_model=UserRead,
    responses=problems(errors.RegisterUserAlreadyExists, errors.RegisterInvalidPassword, errors.Busy),
)
async def register(user_create: UserCreate, users: UserManagerDep) -> User:
    """Make an account: a password of 12 to 128 characters, whatever they are."""
    return await users.create(user_create)


@router.post("/forgot-password", summary="Ask for a reset token", status_code=HTTPStatus.ACCEPTED)
async def forgot_password(body: EmailInput, users: UserManagerDep) -> None:
    """Send a token for setting a new password, if there is an active user with this address."""
    await users.request(Purpose.RESET, body.email)


@router.post(
    "/reset-password",
    summary="Set a new password",
    responses=problems(errors.ResetPasswordBadToken, errors.ResetPasswordInvalidPassword, errors.Busy),
)
async def reset_password(body: ResetInput, users: UserManagerDep) -> None:
    """Use a reset token up. A password that is refused leaves it usable."""
    await users.reset_password(body.token, body.password)


@router.post("/request-verify-token", summary="Ask for a verification token", status_code=HTTPStatus.ACCEPTED)
async def request_verify_token(body: EmailInput, users: UserManagerDep) -> None:
    """Send a token that proves the address, if there is an active, unverified user with it."""
    await users.request(Purpose.VERIFY, body.email)


@router.post(
    "/verify", summary="Verify an address", response_model=UserRead, responses=problems(errors.VerifyUserBadToken)
)
async def verify(body: TokenInput, users: UserManagerDep) -> User:
    """Use a verification token up."""
    return await users.verify(body.token)
