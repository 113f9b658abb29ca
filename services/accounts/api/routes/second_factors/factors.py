"""All second factors of a user: list them, create recovery codes, and reset those of users who lost them."""

import uuid
from http import HTTPStatus

from fastapi import APIRouter, Depends, Response

from accounts.api.authentication import CurrentSession, CurrentUser, current_superuser
from accounts.api.dependencies import FactorManagerDep, UserManagerDep
from accounts.api.openapi import AUTHENTICATED, SUPERUSER, problems
from accounts.api.rate_limits import REAUTHENTICATION, ConfirmedPassword
from accounts.domain import errors
from accounts.schemas.second_factors import FactorsRead, RecoveryCodesCreated

router = APIRouter(prefix="/users", tags=["second factors"])


@router.get("/me/factors", summary="List my second factors", responses=problems(*AUTHENTICATED))
async def read_factors(user: CurrentUser, factors: FactorManagerDep) -> FactorsRead:
    """List your second factors: the authenticator app, how many recovery codes are left, and how many passkeys."""
    return FactorsRead(**await factors.overview(user))


@router.post(
    "/me/recovery-codes",
    summary="Create recovery codes",
    status_code=HTTPStatus.CREATED,
    responses=problems(*AUTHENTICATED, errors.NoSecondFactor, *REAUTHENTICATION),
)
async def create_recovery_codes(
    user: CurrentUser,
    current: CurrentSession,
    factors: FactorManagerDep,
    current_password: ConfirmedPassword,
    response: Response,
) -> RecoveryCodesCreated:
    """Create ten recovery codes. The old ones no longer work. Each code replaces another second factor once.

    Requires a recent sign-in with a second factor.
    """
    codes = await factors.renew_recovery_codes(user, current, current_password)
    response.headers["Cache-Control"] = "no-store"
    return RecoveryCodesCreated(recovery_codes=codes)


@router.delete(
    "/{user_id:uuid}/factors",
    summary="Reset a user's second factors",
    status_code=HTTPStatus.NO_CONTENT,
    dependencies=[Depends(current_superuser)],
    responses=problems(*SUPERUSER, errors.UserNotFound, *REAUTHENTICATION),
)
async def delete_factors(
    user_id: uuid.UUID,
    current: CurrentSession,
    users: UserManagerDep,
    factors: FactorManagerDep,
    current_password: ConfirmedPassword,
) -> None:
    """Delete all second factors of a user who lost them, and end all sessions of the user, who gets a notice by mail.

    Requires a superuser, and `current_password` or a recent sign-in. Make sure first that it is the user who asks.
    """
    await factors.reset(await users.get(user_id), current, current_password)
