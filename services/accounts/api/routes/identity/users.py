"""Users: oneself, and, for superusers, everybody."""

import uuid
from http import HTTPStatus

from fastapi import APIRouter, Depends, HTTPException, Response
from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from accounts.api.authentication import CurrentSession, CurrentUser, current_superuser
from accounts.api.dependencies import UserManagerDep
from accounts.api.fast_routes import SECURITY, ReadingDep, ReadRoute
from accounts.api.openapi import AUTHENTICATED, SUPERUSER, problems
from accounts.api.rate_limits import THROTTLED, CountEmailChangeDep, CountPasswordCheckDep
from accounts.domain import errors
from accounts.domain.sessions.caller import read_current_user
from accounts.models import User
from accounts.schemas.identity.users import Confirmation, SuperuserUpdate, UserRead, UserUpdate

router = APIRouter(tags=["users"])
reads = APIRouter(tags=["users"], route_class=ReadRoute)
PROOF = (errors.BadCurrentPassword, errors.ReauthenticationRequired, errors.Busy, *THROTTLED)
CHANGES = (errors.UpdateUserEmailAlreadyExists, errors.UpdateUserInvalidPassword, *PROOF)


class Greeting(BaseModel):
    """What the example of a protected route answers."""

    message: str = Field(examples=["Hello king.arthur@camelot.example.com!"])


@router.get("/authenticated-route", summary="Say hello", responses=problems(*AUTHENTICATED))
async def authenticated_route(user: CurrentUser) -> Greeting:
    """Show how a route asks for the user: one parameter."""
    return Greeting(message=f"Hello {user.email}!")


@reads.get(
    "/users/me",
    summary="Who am I",
    response_model=UserRead,
    openapi_extra=SECURITY,
    responses=problems(*AUTHENTICATED),
)
async def read_me(reading: ReadingDep) -> Response:
    """Read one's own user."""
    if (user := await read_current_user(reading)) is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED)
    return Response(user, media_type="application/json")


@router.patch(
    "/users/me",
    summary="Change oneself",
    response_model=UserRead,
    responses=problems(*AUTHENTICATED, errors.UserNotFound, *CHANGES),
)
async def update_me(
    user: CurrentUser,
    current: CurrentSession,
    user_update: UserUpdate,
    users: UserManagerDep,
    count: CountPasswordCheckDep,
    count_mail: CountEmailChangeDep,
) -> User:
    """Change what the body names; a new address or password needs a recent sign-in or `current_password`.

    A new password ends all other sessions. A new address is sent a token, and takes effect when that is used at
    `/auth/confirm-email`: until then the answer, and the user, have the old one.
    """
    await count(user, user_update.current_password)
    if user_update.email not in {None, user.email}:
        await count_mail(user_update.email)
    return await users.update(user_update, user, current)


@router.delete(
    "/users/me",
    summary="Delete oneself",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*AUTHENTICATED, errors.UserNotFound, errors.LastSuperuser, errors.LastOwner, *PROOF),
)
async def delete_me(
    user: CurrentUser,
    current: CurrentSession,
    users: UserManagerDep,
    count: CountPasswordCheckDep,
    confirmation: Confirmation | SkipJsonSchema[None] = None,
) -> None:
    """Delete one's account, for good; it needs a recent sign-in or `current_password`.

    Memberships, sessions and outstanding tokens are deleted with it. The record of what happened stays for as long as
    it is kept, with the account's id and IP addresses, but neither name nor e-mail address. Groups stay, and
    invitations: those that one sent, without the sender, and those to one's address.
    """
    password = confirmation.current_password if confirmation else None
    await count(user, password)
    await users.delete(user, current=current, current_password=password)


@router.get(
    "/users/{user_id:uuid}",
    summary="Read a user",
    response_model=UserRead,
    dependencies=[Depends(current_superuser)],
    responses=problems(*SUPERUSER, errors.UserNotFound),
)
async def read_user(user_id: uuid.UUID, users: UserManagerDep) -> User:
    """For superusers."""
    return await users.get(user_id)


@router.patch(
    "/users/{user_id:uuid}",
    summary="Change a user",
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
    count: CountPasswordCheckDep,
    count_mail: CountEmailChangeDep,
) -> User:
    """For superusers: change what the body names, with the flags that users cannot change themselves.

    An address changes at once, and is unverified. For oneself it is all as at `/users/me`.
    """
    await count(user, user_update.current_password)
    if user_update.email is not None:
        await count_mail(user_update.email)
    return await users.update(user_update, await users.get(user_id), current)


@router.delete(
    "/users/{user_id:uuid}",
    summary="Delete a user",
    status_code=HTTPStatus.NO_CONTENT,
    dependencies=[Depends(current_superuser)],
    responses=problems(
        *SUPERUSER, errors.ReauthenticationRequired, errors.UserNotFound, errors.LastSuperuser, errors.LastOwner
    ),
)
async def delete_user(user_id: uuid.UUID, current: CurrentSession, users: UserManagerDep) -> None:
    """For superusers: delete a user, and what users delete with themselves. For oneself it needs a recent sign-in."""
    await users.delete(await users.get(user_id), current=current)
