"""The accounts at other providers that you have connected."""

import uuid
from collections.abc import Sequence
from http import HTTPStatus

from fastapi import APIRouter

from accounts.api.authentication import CurrentSession, CurrentUser
from accounts.api.dependencies import ExternalIdentityDep
from accounts.api.openapi import AUTHENTICATED, problems
from accounts.api.rate_limits import REAUTHENTICATION, ConfirmedPassword
from accounts.domain import errors
from accounts.models import ExternalIdentity
from accounts.schemas.external_sign_in import IdentityRead

router = APIRouter(prefix="/users/me/identities", tags=["other providers"])


@router.get(
    "",
    summary="List my accounts at other providers",
    response_model=list[IdentityRead],
    responses=problems(*AUTHENTICATED),
)
async def list_identities(user: CurrentUser, identities: ExternalIdentityDep) -> Sequence[ExternalIdentity]:
    """List the accounts with which you can sign in here, the oldest first."""
    return await identities.list(user)


@router.delete(
    "/{identity_id}",
    summary="Disconnect an account of a provider",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(
        *AUTHENTICATED, errors.IdentityNotFound, errors.LastWayIn, errors.UserNotFound, *REAUTHENTICATION
    ),
)
async def disconnect_identity(
    identity_id: uuid.UUID,
    user: CurrentUser,
    current: CurrentSession,
    identities: ExternalIdentityDep,
    current_password: ConfirmedPassword,
) -> None:
    """Disconnect an account, and end your other sessions. Requires a recent sign-in or `current_password`.

    The last way to sign in stays. You get a notice by mail.
    """
    await identities.disconnect(user, identity_id, current, current_password)
