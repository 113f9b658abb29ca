"""The textbook implementation: the service written as in the documentation of FastAPI Users and SQLModel.

It follows them in its wiring: one session per request, adapter and manager as dependencies, JWTs, relationships loaded
by selectin, and all defaults of the engine, the password helper and the routers. The tables are the project's own.
"""

import os
import uuid
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.db import SQLAlchemyUserDatabase
from fastapi_users_db_sqlalchemy import SQLAlchemyBaseUserTableUUID
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload
from sqlmodel import Field, Relationship, SQLModel, col, select

SECRET = os.environ["SECRET_KEY"]


class Base(DeclarativeBase):
    """Declarative base on SQLModel's metadata."""

    metadata = SQLModel.metadata


class User(SQLAlchemyBaseUserTableUUID, Base):
    """FastAPI Users' table with a display name."""

    display_name: Mapped[str] = mapped_column(default="")


class Membership(SQLModel, table=True):
    """A link model."""

    group_id: int = Field(primary_key=True, foreign_key="user_group.id")
    user_id: uuid.UUID = Field(primary_key=True, foreign_key="user.id")
    role: str = "member"


class UserGroup(SQLModel, table=True):
    """A group and its users."""

    __tablename__ = "user_group"

    id: int | None = Field(default=None, primary_key=True)
    name: str
    users: list[Any] = Relationship(
        sa_relationship=relationship(
            User, secondary="membership", order_by=col(User.id), lazy="selectin", viewonly=True
        )
    )


class UserRead(schemas.BaseUser[uuid.UUID]):
    """A user in responses."""

    display_name: str


engine = create_async_engine(os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+asyncpg:", 1))
async_session_maker = async_sessionmaker(engine, expire_on_commit=False)


async def get_async_session() -> AsyncGenerator[AsyncSession]:
    """Open a session for each request."""
    async with async_session_maker() as db:
        yield db


SessionDep = Annotated[AsyncSession, Depends(get_async_session)]


async def get_user_db(db: SessionDep) -> AsyncGenerator[SQLAlchemyUserDatabase[User, uuid.UUID]]:
    """Create the adapter."""
    yield SQLAlchemyUserDatabase(db, User)


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    """The user manager, with its defaults."""

    reset_password_token_secret = SECRET
    verification_token_secret = SECRET


async def get_user_manager(
    user_db: Annotated[SQLAlchemyUserDatabase[User, uuid.UUID], Depends(get_user_db)],
) -> AsyncGenerator[UserManager]:
    """Create the manager."""
    yield UserManager(user_db)


def get_jwt_strategy() -> JWTStrategy[User, uuid.UUID]:
    """Create the strategy."""
    return JWTStrategy(secret=SECRET, lifetime_seconds=3600)


backend = AuthenticationBackend("jwt", BearerTransport("auth/jwt/login"), get_jwt_strategy)
users = FastAPIUsers[User, uuid.UUID](get_user_manager, [backend])
Viewer = Annotated[User | None, Depends(users.current_user(active=True, optional=True))]

app = FastAPI()
app.include_router(users.get_auth_router(backend), prefix="/auth/jwt")
app.include_router(users.get_register_router(UserRead, schemas.BaseUserCreate), prefix="/auth")
app.include_router(users.get_users_router(UserRead, schemas.BaseUserUpdate), prefix="/users")


@app.get("/user-groups/{group_id}/users", response_model=list[UserRead])
async def read_users(group_id: int, db: SessionDep, _: Viewer, offset: int = 0, limit: int = 50) -> list[User]:
    """List a group's users."""
    statement = select(UserGroup).where(UserGroup.id == group_id).options(selectinload(UserGroup.users))  # type: ignore[arg-type]
    group = (await db.execute(statement)).scalar_one_or_none()
    if group is None:
        raise HTTPException(404)
    shown: list[User] = group.users[offset : offset + limit]
    return shown
