"""Sign-up, sign-in and sign-out with tokens; email verification and password reset.

The first line describes the tag ``auth``, which this module shares with ``sign_up`` and ``recovery``.
"""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from accounts.api.authentication import BearerStrategyDep, CurrentSession, CurrentUser
from accounts.api.dependencies import SessionManagerDep, SignInDep, request_context
from accounts.api.fast_routes import fast_route, parse_form
from accounts.api.oauth_errors import refuse_repeated_parameters
from accounts.api.openapi import AUTHENTICATED, problems
from accounts.api.rate_limits import RATE_LIMITED, LoginFormDep, counted_headers
from accounts.db.session import Session
from accounts.db.statements import Database
from accounts.domain import errors
from accounts.domain.rate_limits.rules import Attempt
from accounts.domain.sessions.assurance import BY_PASSWORD
from accounts.domain.sessions.refresh import Refreshing
from accounts.domain.sessions.session_token import SessionToken, parse_session_token
from accounts.domain.sessions.token_claims import IssuedSession, sign_in_claims
from accounts.schemas.identity.auth import RefreshForm, TokenRead

router = APIRouter(prefix="/auth", tags=["auth"])
fast_router = APIRouter(tags=["auth"])
NO_STORE = {"Cache-Control": "no-store"}  # RFC 6749, 5.1


@router.post(
    "/jwt/login",
    summary="Sign in",
    dependencies=[Depends(refuse_repeated_parameters)],
    responses=problems(errors.LoginBadCredentials, errors.MfaRequired, errors.Busy, *RATE_LIMITED),
)
async def login(
    form: LoginFormDep, sign_in: SignInDep, strategy: BearerStrategyDep, request: Request, response: Response
) -> TokenRead:
    """Exchange an email and a password for an access token and a refresh token.

    The form is OAuth 2.0's password grant: `username` is the email. Send the access token with later requests as
    `Authorization: Bearer …`. When it expires, use the refresh token at `/auth/jwt/refresh`.

    With `scope=groups`, access tokens name the user's groups and roles, for other services.
    """
    user = await sign_in.authenticate(form.username, form.password)
    started = await strategy.start(user, BY_PASSWORD, form.scopes)
    return await token_response(request, response, strategy.db, *started)


def refresh_parameters(form: Annotated[RefreshForm, Form()]) -> None:
    """Document the parameters of ``refresh``."""


@fast_route(
    fast_router,
    "POST",
    "/auth/jwt/refresh",
    refresh_parameters,
    summary="Refresh the tokens",
    response_model=TokenRead,
    responses=problems(errors.RefreshBadToken, errors.RefreshTokenReused, *RATE_LIMITED),
)
async def refresh(request: Request) -> Response:
    """Exchange a refresh token for a new access token and a new refresh token.

    Each refresh token works once. For ten seconds it returns the same tokens again, for other tabs and lost responses.
    Using it later ends the session, since the token may be stolen.
    """
    state = request.state
    headers = await counted_headers(request, Attempt.REFRESH)
    form = await parse_form(request, RefreshForm)
    await refuse_repeated_parameters(request)
    idle = state.settings.session_idle
    refreshing = Refreshing(state.connect, state.sessionmaker, state.settings.secret_keys, idle)
    used = parse_session_token(form.refresh_token)
    async with refreshing.exchange(used, request_context(request)) as (db, session, token):
        tokens = await issue_tokens(request, db, session, token)
    return Response(tokens.model_dump_json(), headers=headers | NO_STORE, media_type="application/json")


async def token_response(
    request: Request, response: Response, db: Session, session: IssuedSession, token: SessionToken
) -> TokenRead:
    """Issue tokens for a session. The response must not be cached."""
    response.headers.update(NO_STORE)
    return await issue_tokens(request, db, session, token)


async def issue_tokens(request: Request, db: Database, session: IssuedSession, token: SessionToken) -> TokenRead:
    """Sign an access token for a session, and return it with the refresh token."""
    claims = await sign_in_claims(db, session)
    return TokenRead(
        access_token=request.state.keys.sign(session.user_id, session.id, **claims),
        expires_in=request.state.settings.access_token_seconds,
        refresh_token=str(token),
        scope=" ".join(claims["scopes"]),
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
