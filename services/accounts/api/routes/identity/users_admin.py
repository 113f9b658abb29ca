"""Administration of users, for superusers."""

import uuid
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from accounts.api.authentication import CurrentSession, CurrentUser, current_superuser
from accounts.api.dependencies import UserManagerDep, UserSupportDep
from accounts.api.fast_routes import fast_get, parse_query, reading, require_superuser
from accounts.api.openapi import SUPERUSER, problems
from accounts.api.pagination import LINK_HEADER, json_page
from accounts.api.rate_limits import REAUTHENTICATION, ConfirmedPassword, PasswordLimitDep
from accounts.domain import errors
from accounts.domain.identity import user_search
from accounts.models import User
from accounts.schemas.identity.users import ManagedUserCreate, UserQuery, UserRead

router = APIRouter(prefix="/users", tags=["administration"], dependencies=[Depends(current_superuser)])
fast_router = APIRouter(tags=["administration"])


def list_users_parameters(user: CurrentUser, query: Annotated[UserQuery, Query()]) -> None:
    """Document the parameters of ``list_users``."""


@fast_get(
    fast_router,
    "/users",
    list_users_parameters,
    summary="List users",
    response_model=list[UserRead],
    responses=LINK_HEADER | problems(*SUPERUSER, errors.BadCursor),
)
async def list_users(request: Request) -> Response:
    """List users. Requires a superuser.

    With `email` or `name`, they are sorted by that; otherwise, the oldest come first.
    """
    query = parse_query(request, UserQuery)
    async with reading(request) as (_, caller):
        require_superuser(caller)
    listing = partial(user_search.list_users, query=query)
    return json_page(request, await request.state.replica.read(request.state.connect, listing))


@router.post(
    "",
    summary="Create a user",
    status_code=HTTPStatus.CREATED,
    response_model=UserRead,
    responses=problems(*SUPERUSER, errors.RegisterUserAlreadyExists, errors.RegisterInvalidPassword, *REAUTHENTICATION),
)
async def create_user(
    user_create: ManagedUserCreate,
    user: CurrentUser,
    current: CurrentSession,
    users: UserManagerDep,
    check_password_limit: PasswordLimitDep,
) -> User:
    """Create a user, including the flags that users cannot set themselves.

    Requires a superuser, and your `current_password` or a recent sign-in. Without a `password`, a mail with a link to
    choose one is sent to the user.
    """
    await check_password_limit(user, user_create.current_password)
    return await users.create(user_create, current, user_create.current_password)


@router.delete(
    "/{user_id:uuid}/sessions",
    summary="Sign a user out everywhere",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*SUPERUSER, errors.UserNotFound, *REAUTHENTICATION),
)
async def end_sessions(
    user_id: uuid.UUID, current: CurrentSession, users: UserManagerDep, current_password: ConfirmedPassword
) -> None:
    """End all sessions of a user. Requires a superuser, and `current_password` or a recent sign-in."""
    await users.revoke_sessions(await users.get(user_id), current, current_password)


@router.post(
    "/{user_id:uuid}/require-new-password",
    summary="Require a new password",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*SUPERUSER, errors.UserNotFound, errors.NotForServiceAccounts, *REAUTHENTICATION),
)
async def require_new_password(
    user_id: uuid.UUID,
    current: CurrentSession,
    users: UserManagerDep,
    support: UserSupportDep,
    current_password: ConfirmedPassword,
) -> None:
    """Remove a user's password, end all sessions and access keys, and mail a link with which to choose a new one.

    Requires a superuser, and `current_password` or a recent sign-in. Other ways to sign in, such as passkeys, stay. An
    inactive user gets no mail.
    """
    await support.require_new_password(await users.get(user_id), current, current_password)
