"""Client secrets of service accounts, with which programs get access tokens at ``/oauth/token``."""

import uuid
from http import HTTPStatus

from fastapi import APIRouter, Response

from accounts.api.authentication import CurrentSession, CurrentUser
from accounts.api.dependencies import SecretManagerDep
from accounts.api.openapi import problems
from accounts.api.rate_limits import REAUTHENTICATION, PasswordLimitDep
from accounts.api.routes.groups.groups import GROUP_ERRORS, GroupId
from accounts.api.routes.service_accounts.accounts import ACCOUNT_CHANGE_ERRORS, PREFIX
from accounts.domain import errors
from accounts.schemas.service_accounts import SecretCreate, SecretCreated, SecretRead

router = APIRouter(prefix=f"{PREFIX}/{{account_id}}/secrets", tags=["service accounts"])


@router.get(
    "", summary="List a service account's secrets", responses=problems(*GROUP_ERRORS, errors.ServiceAccountNotFound)
)
async def list_secrets(
    group_id: GroupId, account_id: uuid.UUID, user: CurrentUser, secrets: SecretManagerDep
) -> list[SecretRead]:
    """List the secrets, the oldest first, without their texts. Requires the admin role."""
    return [SecretRead.model_validate(key) for key in await secrets.list(group_id, account_id, user)]


@router.post(
    "",
    summary="Create a secret",
    status_code=HTTPStatus.CREATED,
    responses=problems(*ACCOUNT_CHANGE_ERRORS, errors.TooManySecrets, *REAUTHENTICATION),
)
async def create_secret(
    group_id: GroupId,
    account_id: uuid.UUID,
    body: SecretCreate,
    user: CurrentUser,
    current: CurrentSession,
    secrets: SecretManagerDep,
    check_password_limit: PasswordLimitDep,
    response: Response,
) -> SecretCreated:
    """Create a client secret. Requires the admin role, and your `current_password` or a recent sign-in.

    This response alone shows it. An account has up to five secrets that are not expired, so that a new one can replace
    an old one without a gap.
    """
    await check_password_limit(user, body.current_password)
    key, secret = await secrets.create(group_id, account_id, body, user, current)
    response.headers["Cache-Control"] = "no-store"
    shown = SecretRead.model_validate(key).model_dump()
    return SecretCreated(**shown, client_id=account_id, client_secret=str(secret))


@router.delete(
    "/{secret_id:uuid}",
    summary="Revoke a secret",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*ACCOUNT_CHANGE_ERRORS, errors.SecretNotFound),
)
async def revoke_secret(
    group_id: GroupId, account_id: uuid.UUID, secret_id: uuid.UUID, user: CurrentUser, secrets: SecretManagerDep
) -> None:
    """Delete a secret. The access tokens that it was exchanged for end at once. Requires the admin role."""
    await secrets.revoke(group_id, account_id, secret_id, user)
