"""Sign-up, sign-in and sign-out with tokens; email verification and password reset.

The first line describes the tag ``auth``, which this module shares with ``sign_up`` and ``recovery``.
"""

import uuid
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from accounts.api.authentication import BearerStrategyDep, CurrentSession, CurrentUser
from accounts.api.dependencies import SessionManagerDep, SignInDep
from accounts.api.oauth_errors import refuse_repeated_parameters
from accounts.api.openapi import AUTHENTICATED, problems
from accounts.api.rate_limits import RATE_LIMITED, LoginFormDep, limit_by_client
from accounts.domain import errors
from accounts.domain.rate_limits.rules import Attempt
from accounts.domain.sessions.session_token import SessionToken, parse_session_token
from accounts.schemas.identity.auth import RefreshForm, TokenRead

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post(
    "/jwt/login",
    summary="Sign in",
    dependencies=[Depends(refuse_repeated_parameters)],
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
    dependencies=[limit_by_client(Attempt.REFRESH), Depends(refuse_repeated_parameters)],
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
