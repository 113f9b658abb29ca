"""The current user, and, for superusers, any user."""

import uuid
from http import HTTPStatus

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from pydantic import BaseModel, Field

from accounts.api.authentication import CurrentSession, CurrentUser, current_superuser
from accounts.api.dependencies import UserManagerDep
from accounts.api.fast_routes import fast_get, fast_reader
from accounts.api.openapi import AUTHENTICATED, SUPERUSER, problems
from accounts.api.pagination import json_response
from accounts.api.rate_limits import (
    REAUTHENTICATION,
    ConfirmedPassword,
    EmailChangeLimitDep,
    PasswordLimitDep,
    SenderLimitDep,
)
from accounts.domain import errors
from accounts.domain.sessions.caller import read_current_user
from accounts.models import User
from accounts.schemas.identity.users import SuperuserUpdate, UserRead, UserUpdate

router = APIRouter(tags=["users"])
fast_router = APIRouter(tags=["users"])
CHANGES = (errors.UpdateUserEmailAlreadyExists, errors.UpdateUserInvalidPassword, *REAUTHENTICATION)
DELETION = (
    errors.UserNotFound,
    errors.LastSuperuser,
    errors.LastOwner,
    errors.EmailUndoOpen,
    *REAUTHENTICATION,
)


class Greeting(BaseModel):
    """The response of the example route."""

    message: str = Field(examples=["Hello king.arthur@camelot.example.com!"])


@router.get("/authenticated-route", summary="Example of a protected route", responses=problems(*AUTHENTICATED))
async def authenticated_route(user: CurrentUser) -> Greeting:
    """Greet the current user. Your own routes get the user in the same way, from one parameter."""
    return Greeting(message=f"Hello {user.email}!")


def read_me_parameters(user: CurrentUser) -> None:
    """Document the parameters of ``read_me``."""


@fast_get(
    fast_router,
    "/users/me",
    read_me_parameters,
    summary="Get the current user",
    response_model=UserRead,
    responses=problems(*AUTHENTICATED),
)
async def read_me(request: Request) -> Response:
    """Return the current user."""
    if (user := await read_current_user(await fast_reader(request))) is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED)
    return json_response(user)


@router.patch(
    "/users/me",
    summary="Update the current user",
    response_model=UserRead,
    responses=problems(*AUTHENTICATED, errors.UserNotFound, *CHANGES),
)
async def update_me(
    user: CurrentUser,
    current: CurrentSession,
    user_update: UserUpdate,
    users: UserManagerDep,
    check_password_limit: PasswordLimitDep,
    check_email_limit: EmailChangeLimitDep,
    check_sender: SenderLimitDep,
) -> User:
    """Update the fields in the body. A new email or password requires a recent sign-in or `current_password`.

    A new password ends all other sessions. A new email takes effect when the token that is sent to it is used at
    `/auth/confirm-email`. Until then, the response has the old one.
    """
    await check_password_limit(user, user_update.current_password)
    if user_update.email not in {None, user.email}:
        await check_sender(user)
        await check_email_limit(user_update.email)
    return await users.update(user_update, user, current)


@router.delete(
    "/users/me",
    summary="Delete the current user",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*AUTHENTICATED, *DELETION),
)
async def delete_me(
    user: CurrentUser,
    current: CurrentSession,
    users: UserManagerDep,
    current_password: ConfirmedPassword,
) -> None:
    """Delete your account for good. Requires a recent sign-in or `current_password`.

    Memberships, sessions and tokens are deleted too. Audit events are kept until they expire, with the user's id and IP
    addresses, but without name or email. Groups stay, and so do invitations that you sent. While a change of your email
    can still be undone, the account cannot be deleted.
    """
    await users.delete(user, current, current_password)


@router.get(
    "/users/{user_id:uuid}",
    summary="Get a user",
    response_model=UserRead,
    dependencies=[Depends(current_superuser)],
    responses=problems(*SUPERUSER, errors.UserNotFound),
)
async def read_user(user_id: uuid.UUID, users: UserManagerDep) -> User:
    """Return any user. Requires a superuser."""
    return await users.get(user_id)


@router.patch(
    "/users/{user_id:uuid}",
    summary="Update a user",
    response_model=UserRead,
    dependencies=[Depends(current_superuser)],
    responses=problems(*SUPERUSER, errors.UserNotFound, errors.LastSuperuser, errors.LastOwner, *CHANGES),
)
async def update_user(
    user_id: uuid.UUID,
    user_update: SuperuserUpdate,
    user: CurrentUser,
    current: CurrentSession,
    users: UserManagerDep,
    check_password_limit: PasswordLimitDep,
    check_email_limit: EmailChangeLimitDep,
) -> User:
    """Update any user, including the flags that users cannot change themselves. Requires a superuser.

    Anything but the display name and the language also requires your `current_password` or a recent sign-in. A new
    email takes effect at once, unverified; your own has to be confirmed, as with `/users/me`.
    """
    await check_password_limit(user, user_update.current_password)
    if user_update.email is not None:
        await check_email_limit(user_update.email)
    return await users.update(user_update, await users.get(user_id), current)


@router.delete(
    "/users/{user_id:uuid}",
    summary="Delete a user",
    status_code=HTTPStatus.NO_CONTENT,
    dependencies=[Depends(current_superuser)],
    responses=problems(*SUPERUSER, *DELETION),
)
async def delete_user(
    user_id: uuid.UUID, current: CurrentSession, users: UserManagerDep, current_password: ConfirmedPassword
) -> None:
    """Delete any user, like `DELETE /users/me`. Requires a superuser, and `current_password` or a recent sign-in.

    Another user's account can be deleted although a change of its email can still be undone.
    """
    await users.delete(await users.get(user_id), current, current_password)
