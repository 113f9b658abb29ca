"""What superusers do about users, besides reading, changing and deleting one."""

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
    """For superusers: by address or name where one is looked for, else the oldest first."""
    page = await users.list(query)
    add_link_header(request, response, page)
    return page.rows


@router.post(
    "",
    summary="Make a user",
    status_code=HTTPStatus.CREATED,
    response_model=UserRead,
    responses=problems(*SUPERUSER, errors.RegisterUserAlreadyExists, errors.RegisterInvalidPassword, errors.Busy),
)
async def create_user(user_create: ManagedUserCreate, users: UserManagerDep) -> User:
    """For superusers: make an account, with the flags that users cannot give themselves."""
    return await users.create(user_create)


@router.delete(
    "/{user_id:uuid}/sessions",
    summary="Sign a user out everywhere",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*SUPERUSER, errors.UserNotFound),
)
async def end_sessions(user_id: uuid.UUID, users: UserManagerDep, sessions: SessionManagerDep) -> None:
    """For superusers: end all sessions of a user."""
    await sessions.revoke_all(await users.get(user_id))
