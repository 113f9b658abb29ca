"""Second factors: finish a sign-in with one, and step up the authentication of a session."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from accounts.api.authentication import CurrentSession, CurrentUser
from accounts.api.dependencies import SecondFactorDep
from accounts.api.openapi import AUTHENTICATED, problems
from accounts.api.rate_limits import (
    RATE_LIMITED,
    PasswordLimitDep,
    SecondFactorLimitDep,
    limit_by_client,
)
from accounts.api.started_sessions import StartCookieDep, StartTokensDep
from accounts.domain import errors
from accounts.domain.rate_limits.rules import Attempt
from accounts.schemas.identity.auth import TokenRead
from accounts.schemas.second_factors import ElevateInput, MfaInput

router = APIRouter(prefix="/auth", tags=["second factors"])
FINISHING = (
    errors.MfaBadToken,
    errors.BadSecondFactor,
    errors.LoginBadCredentials,
    errors.InvitationBadToken,
    errors.InvitationOtherAddress,
    *RATE_LIMITED,
)


async def get_mfa_input(
    body: MfaInput,
    factors: SecondFactorDep,
    check_limit: SecondFactorLimitDep,
) -> MfaInput:
    """Count an attempt to finish the sign-in of a user, before its transaction begins."""
    await check_limit(await factors.find_user(body.mfa_token))
    return body


MfaInputDep = Annotated[MfaInput, Depends(get_mfa_input)]


@router.post(
    "/jwt/mfa",
    summary="Finish a sign-in with a second factor",
    dependencies=[limit_by_client(Attempt.MFA)],
    responses=problems(*FINISHING),
)
async def finish_sign_in(body: MfaInputDep, factors: SecondFactorDep, start: StartTokensDep) -> TokenRead:
    """Exchange the `mfa_token` of a sign-in, and a proof of a second factor, for the tokens.

    The sign-in waits five minutes, and fails for good after five wrong proofs. An authenticator app's code works once.
    An invitation that a sign-in with a provider came with is accepted now.
    """
    user, assurance, scopes, _ = await factors.finish(body.mfa_token, body)
    return await start(user, assurance, scopes)


@router.post(
    "/cookie/mfa",
    summary="Finish a sign-in with a second factor, with a cookie",
    status_code=HTTPStatus.NO_CONTENT,
    response_class=Response,
    dependencies=[limit_by_client(Attempt.MFA)],
    responses=problems(*FINISHING, errors.CrossSite),
)
async def finish_cookie_sign_in(body: MfaInputDep, factors: SecondFactorDep, start: StartCookieDep) -> Response:
    """Exchange the `mfa_token` of a sign-in, and a proof of a second factor, for a cookie."""
    user, assurance, _, _ = await factors.finish(body.mfa_token, body)
    return await start(user, assurance)


@router.post(
    "/elevate",
    summary="Step up the authentication of the session",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(
        *AUTHENTICATED,
        errors.BadSecondFactor,
        errors.BadCurrentPassword,
        errors.LoginBadCode,
        errors.SignInByCodeDisabled,
        errors.ReauthenticationRequired,
        errors.UserNotFound,
        errors.SessionNotFound,
        errors.Busy,
        *RATE_LIMITED,
    ),
)
async def elevate(
    body: ElevateInput,
    user: CurrentUser,
    current: CurrentSession,
    factors: SecondFactorDep,
    check_password_limit: PasswordLimitDep,
    check_limit: SecondFactorLimitDep,
) -> None:
    """Prove again who you are, for operations that require a recent sign-in (RFC 9470).

    With a second factor the session gets assurance level 2; access tokens say so after the next refresh. A cookie is
    replaced. Users who have a second factor can use neither their password nor a mailed code here.
    """
    if body.current_password is None:
        await check_limit(user)
    else:
        await check_password_limit(user, body.current_password)
    await factors.elevate(user, current, body)
