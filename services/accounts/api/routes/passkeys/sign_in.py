"""Passkeys: sign in with one, and begin to prove one as the second factor.

The proofs of second factors go to ``/auth/*/mfa`` and ``/auth/elevate``.
"""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response

from accounts.api.authentication import CurrentSession, CurrentUser
from accounts.api.dependencies import PasskeySignInDep, SecondFactorDep
from accounts.api.openapi import AUTHENTICATED, problems
from accounts.api.rate_limits import RATE_LIMITED, limit_by_client
from accounts.api.started_sessions import StartCookieDep, StartTokensDep
from accounts.domain import errors
from accounts.domain.rate_limits.rules import Attempt
from accounts.schemas.identity.auth import TokenRead
from accounts.schemas.passkeys import PasskeyOptions, PasskeySignIn, PendingSignInToken

router = APIRouter(prefix="/auth", tags=["passkeys"])
SIGN_IN = (errors.BadPasskey, errors.PasskeysUnavailable, errors.LoginBadCredentials, *RATE_LIMITED)
SECOND_FACTOR = (errors.PasskeysUnavailable, errors.BadSecondFactor, *RATE_LIMITED)


@router.post(
    "/passkeys/options",
    summary="Begin a sign-in with a passkey",
    response_model=PasskeyOptions,
    dependencies=[limit_by_client(Attempt.PASSKEY_OPTIONS)],
    responses=problems(errors.PasskeysUnavailable, *RATE_LIMITED),
)
async def begin_passkey_sign_in(sign_in: PasskeySignInDep) -> dict[str, Any]:
    """Get the options for `navigator.credentials.get()`. They are for anyone, once, and valid for five minutes."""
    return await sign_in.begin()


@router.post(
    "/jwt/passkey",
    summary="Sign in with a passkey",
    dependencies=[limit_by_client(Attempt.PASSKEY)],
    responses=problems(*SIGN_IN),
)
async def passkey_login(body: PasskeySignIn, sign_in: PasskeySignInDep, start: StartTokensDep) -> TokenRead:
    """Exchange a proof of a passkey for the tokens. The session has assurance level 2."""
    user, assurance = await sign_in.authenticate(body.passkey)
    return await start(user, assurance, body.scopes)


@router.post(
    "/cookie/passkey",
    summary="Sign in with a passkey, with a cookie",
    status_code=HTTPStatus.NO_CONTENT,
    response_class=Response,
    dependencies=[limit_by_client(Attempt.PASSKEY)],
    responses=problems(*SIGN_IN, errors.CrossSite),
)
async def passkey_cookie_login(body: PasskeySignIn, sign_in: PasskeySignInDep, start: StartCookieDep) -> Response:
    """Exchange a proof of a passkey for a cookie."""
    return await start(*await sign_in.authenticate(body.passkey))


@router.post(
    "/mfa/passkey-options",
    summary="Begin to prove a passkey as the second factor of a sign-in",
    response_model=PasskeyOptions,
    dependencies=[limit_by_client(Attempt.MFA)],
    responses=problems(errors.MfaBadToken, *SECOND_FACTOR),
)
async def begin_passkey_mfa(body: PendingSignInToken, factors: SecondFactorDep) -> dict[str, Any]:
    """Get the options for `navigator.credentials.get()`. Send its result to `/auth/jwt/mfa` or `/auth/cookie/mfa`."""
    return await factors.begin_passkey(body.mfa_token)


@router.post(
    "/elevate/passkey-options",
    summary="Begin to prove a passkey in a session",
    response_model=PasskeyOptions,
    responses=problems(*AUTHENTICATED, *SECOND_FACTOR),
)
async def begin_passkey_elevation(
    user: CurrentUser, current: CurrentSession, factors: SecondFactorDep
) -> dict[str, Any]:
    """Get the options for `navigator.credentials.get()`. Send its result to `/auth/elevate`."""
    return await factors.begin_passkey_elevation(user, current)
