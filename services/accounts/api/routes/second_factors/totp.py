"""The user's authenticator app: add, confirm and remove it."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from accounts.api.authentication import CurrentSession, CurrentUser
from accounts.api.dependencies import TotpManagerDep
from accounts.api.openapi import AUTHENTICATED, problems
from accounts.api.rate_limits import RATE_LIMITED, REAUTHENTICATION, ConfirmedPassword, SecondFactorLimitDep
from accounts.domain import errors
from accounts.domain.totp.provisioning import Provisioning, provision
from accounts.schemas.second_factors import RecoveryCodesCreated, TotpCreated, TotpInput

router = APIRouter(prefix="/users/me/totp", tags=["second factors"])


@router.post(
    "",
    summary="Add an authenticator app",
    status_code=HTTPStatus.CREATED,
    response_model=TotpCreated,
    responses=problems(*AUTHENTICATED, errors.TotpExists, *REAUTHENTICATION),
)
async def create_totp(
    request: Request,
    user: CurrentUser,
    current: CurrentSession,
    totp: TotpManagerDep,
    current_password: ConfirmedPassword,
    response: Response,
) -> Provisioning:
    """Create the secret of an authenticator app. It counts once `POST /users/me/totp/confirm` has a code of the app.

    Requires a recent sign-in or `current_password`. A secret that was not confirmed is replaced.
    """
    secret = await totp.start(user, current, current_password)
    response.headers["Cache-Control"] = "no-store"
    return provision(request.state.settings, user, secret)


@router.post(
    "/confirm",
    summary="Confirm an authenticator app",
    responses=problems(
        *AUTHENTICATED,
        errors.BadSecondFactor,
        errors.FactorUnavailable,
        errors.ReauthenticationRequired,
        errors.TotpExists,
        errors.TotpNotFound,
        errors.UserNotFound,
        errors.SessionNotFound,
        *RATE_LIMITED,
    ),
)
async def confirm_totp(
    body: TotpInput,
    user: CurrentUser,
    current: CurrentSession,
    totp: TotpManagerDep,
    check_limit: SecondFactorLimitDep,
    response: Response,
) -> RecoveryCodesCreated:
    """Confirm the app by a code, within an hour. From now on each sign-in needs a second factor.

    You get recovery codes, unless you have some. All other sessions end, and this one gets assurance level 2.
    """
    await check_limit(user)
    codes = await totp.confirm(user, current, body.code)
    response.headers["Cache-Control"] = "no-store"
    return RecoveryCodesCreated(recovery_codes=codes)


@router.delete(
    "",
    summary="Remove the authenticator app",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*AUTHENTICATED, errors.TotpNotFound, *REAUTHENTICATION),
)
async def delete_totp(
    user: CurrentUser, current: CurrentSession, totp: TotpManagerDep, current_password: ConfirmedPassword
) -> None:
    """Remove the app, and with the last second factor the recovery codes. All other sessions end.

    Requires a recent sign-in with a second factor.
    """
    await totp.remove(user, current, current_password)
