"""Administration of users, for superusers."""

import uuid
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from accounts.api.authentication import current_superuser
from accounts.api.dependencies import SessionManagerDep, UserManagerDep
from accounts.api.openapi import SUPERUSER, problems
from accounts.api.pagination import LINK_HEADER, add_link_header
from accounts.domain import errors
from accounts.models import User
from accounts.schemas.identity.users import ManagedUserCreate, UserQuery, UserRead

router = APIRouter(prefix="/users", tags=["administration"], dependencies=[Depends(current_superuser)])


@router.get(
    "",
    summary="List users",
    response_model=list[UserRead],
    responses=LINK_HEADER | problems(*SUPERUSER, errors.BadCursor),
)
async def list_users(
    request: Request, response: Response, users: UserManagerDep, query: Annotated[UserQuery, Query()]
) -> Sequence[User]:
    """List users. Requires a superuser.

    With `email` or `name`, they are sorted by that; otherwise, the oldest come first.
    """
    page = await users.list(query)
    add_link_header(request, response, page)
    return page.rows


@router.post(
    "",
    summary="Create a user",
    status_code=HTTPStatus.CREATED,
    response_model=UserRead,
    responses=problems(*SUPERUSER, errors.RegisterUserAlreadyExists, errors.RegisterInvalidPassword, errors.Busy),
)
async def create_user(user_create: ManagedUserCreate, users: UserManagerDep) -> User:
    """Create a user, including the flags that users cannot set themselves. Requires a superuser."""
    return await users.create(user_create)


@router.delete(
    "/{user_id:uuid}/sessions",
    summary="Sign a user out everywhere",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*SUPERUSER, errors.UserNotFound),
)
async def end_sessions(user_id: uuid.UUID, users: UserManagerDep, sessions: SessionManagerDep) -> None:
    """End all sessions of a user. Requires a superuser."""
    await sessions.revoke_all(await users.get(user_id))
