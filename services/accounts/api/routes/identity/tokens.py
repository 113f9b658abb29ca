"""Personal access tokens: keys for your programs, with scopes and an expiry."""

import uuid
from collections.abc import Sequence
from http import HTTPStatus

from fastapi import APIRouter, Depends, Response

from accounts.api.authentication import CurrentSession, CurrentUser, current_superuser
from accounts.api.dependencies import PersonalTokenManagerDep, UserManagerDep
from accounts.api.openapi import AUTHENTICATED, SUPERUSER, problems
from accounts.api.rate_limits import REAUTHENTICATION, ConfirmedPassword, PasswordLimitDep
from accounts.domain import errors
from accounts.models import AccessKey
from accounts.schemas.access_keys import (
    PersonalAccessTokenCreate,
    PersonalAccessTokenCreated,
    PersonalAccessTokenRead,
    PersonalAccessTokenUpdate,
)

router = APIRouter(prefix="/users", tags=["tokens"])


@router.get(
    "/me/tokens",
    summary="List my personal access tokens",
    response_model=list[PersonalAccessTokenRead],
    responses=problems(*AUTHENTICATED),
)
async def list_personal_tokens(user: CurrentUser, tokens: PersonalTokenManagerDep) -> Sequence[AccessKey]:
    """List your personal access tokens, the newest first. Expired ones are listed for 30 days."""
    return await tokens.keys.list(user)


@router.post(
    "/me/tokens",
    summary="Create a personal access token",
    status_code=HTTPStatus.CREATED,
    responses=problems(
        *AUTHENTICATED,
        errors.ScopeRequiresSuperuser,
        errors.AssuranceRequired,
        errors.TooManyKeys,
        errors.UserNotFound,
        *REAUTHENTICATION,
    ),
)
async def create_personal_token(
    body: PersonalAccessTokenCreate,
    user: CurrentUser,
    current: CurrentSession,
    tokens: PersonalTokenManagerDep,
    check_password_limit: PasswordLimitDep,
    response: Response,
) -> PersonalAccessTokenCreated:
    """Create a key for a program, which may do what its scopes say and you may. It is shown only in this response.

    Requires a recent sign-in or `current_password`. You get a notice by mail. You can have 50, expired ones included.
    """
    await check_password_limit(user, body.current_password)
    key, secret = await tokens.create(user, body, current)
    response.headers["Cache-Control"] = "no-store"
    return PersonalAccessTokenCreated(**key.model_dump(), token=str(secret))


@router.patch(
    "/me/tokens/{token_id}",
    summary="Rename a personal access token",
    response_model=PersonalAccessTokenRead,
    responses=problems(*AUTHENTICATED, errors.TokenNotFound),
)
async def rename_personal_token(
    token_id: uuid.UUID, body: PersonalAccessTokenUpdate, user: CurrentUser, tokens: PersonalTokenManagerDep
) -> AccessKey:
    """Change the name. Scopes and expiry of a token do not change: create another one."""
    return await tokens.keys.rename(user, token_id, body.name)


@router.delete(
    "/me/tokens/{token_id}",
    summary="Revoke a personal access token",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*AUTHENTICATED, errors.TokenNotFound),
)
async def revoke_personal_token(token_id: uuid.UUID, user: CurrentUser, tokens: PersonalTokenManagerDep) -> None:
    """Delete a token. It stops working at once."""
    await tokens.keys.revoke(user, token_id)


@router.delete(
    "/{user_id:uuid}/tokens",
    summary="Revoke a user's access keys",
    status_code=HTTPStatus.NO_CONTENT,
    dependencies=[Depends(current_superuser)],
    responses=problems(*SUPERUSER, errors.UserNotFound, *REAUTHENTICATION),
)
async def revoke_keys(
    user_id: uuid.UUID, current: CurrentSession, users: UserManagerDep, current_password: ConfirmedPassword
) -> None:
    """Delete all access keys of a user. Requires a superuser, and `current_password` or a recent sign-in."""
    await users.revoke_keys(await users.get(user_id), current, current_password)
