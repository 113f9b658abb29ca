"""Users and their authentication, by FastAPI Users."""

import os
import uuid
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.password import PasswordHelper
from fastapi_users_db_sqlalchemy import SQLAlchemyUserDatabase
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import Field
from sqlmodel import func, select

from accounts.models import User
from benchmarks.good.database import Db

SECRET = os.environ["SECRET_KEY"]
SECONDS = 24 * 3600
PASSWORDS = PasswordHelper(PasswordHash([Argon2Hasher(memory_cost=19 * 1024, time_cost=2, parallelism=1)]))
Limit = Annotated[int, Query(ge=1, le=200)]


class UserRead(schemas.BaseUser[uuid.UUID]):
    """A user in responses."""

    email: str  # was validated when it was stored
    display_name: str
    language: str | None
    created_at: datetime
    updated_at: datetime


class UserCreate(schemas.BaseUserCreate):
    """A new user."""

    display_name: str = Field(default="", max_length=100)


class UserUpdate(schemas.BaseUserUpdate):
    """Changes of a user."""

    display_name: str = Field(default="", max_length=100)


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    """The user manager."""

    reset_password_token_secret = SECRET
    verification_token_secret = SECRET


def get_user_manager(db: Db) -> UserManager:
    """Create the manager."""
    return UserManager(SQLAlchemyUserDatabase(db, User), PASSWORDS)


def get_jwt_strategy() -> JWTStrategy[User, uuid.UUID]:
    """Create the strategy."""
    return JWTStrategy(SECRET, SECONDS)


backend = AuthenticationBackend("jwt", BearerTransport("auth/jwt/login"), get_jwt_strategy)
users = FastAPIUsers[User, uuid.UUID](get_user_manager, [backend])
UserManagerDep = Annotated[UserManager, Depends(get_user_manager)]
CurrentUser = Annotated[User, Depends(users.current_user(active=True))]
Viewer = Annotated[User | None, Depends(users.current_user(active=True, optional=True))]

router = APIRouter()


@router.get(
    "/users",
    response_model=list[UserRead],
    dependencies=[Depends(users.current_user(active=True, superuser=True))],
)
async def list_users(db: Db, email: str | None = None, after: str | None = None, limit: Limit = 50) -> Any:
    """List users, by email address if they are searched by it."""
    statement = select(*[getattr(User, name) for name in UserRead.model_fields])
    key: Any = User.id if email is None else func.lower(User.email)
    if email is not None:
        statement = statement.where(func.lower(User.email).startswith(email.lower(), autoescape=True))
    if after is not None:
        statement = statement.where(key > (uuid.UUID(after) if email is None else after.lower()))
    return (await db.exec(statement.order_by(key).limit(limit))).mappings().all()


router.include_router(users.get_register_router(UserRead, UserCreate), prefix="/auth")
router.include_router(users.get_users_router(UserRead, UserUpdate), prefix="/users")
