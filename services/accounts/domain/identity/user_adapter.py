"""FastAPI Users' SQLAlchemy adapter, without its commits, and with a record of what becomes of users."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, override

from fastapi_users import exceptions
from fastapi_users_db_sqlalchemy import SQLAlchemyUserDatabase
from sqlalchemy import String, bindparam, delete, func
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import col, select
from uuid_utils.compat import uuid7

from accounts.db.errors import violated
from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.audit.log import Action, record
from accounts.models import User
from accounts.models.identity import EMAIL_INDEX, folded

# What is recorded by itself. Of everything else the name is recorded, and of flags the value.
SEPARATE_EVENTS = {"hashed_password": Action.PASSWORD_CHANGED, "email": Action.EMAIL_CHANGED}
FLAGS = ("is_active", "is_superuser", "is_verified")
BY_EMAIL = select(User).where(func.lower(User.email) == folded(bindparam("email", type_=String)))


class UserAdapter(SQLAlchemyUserDatabase[User, uuid.UUID]):
    """FastAPI Users' adapter: flushes where the original commits, and names the conflict."""

    session: Session

    @override
    async def get(self, id: uuid.UUID) -> User | None:
        return await self.session.get(User, id)

    @override
    async def get_by_email(self, email: str) -> User | None:
        return (await self.session.exec(BY_EMAIL, params={"email": email})).one_or_none()

    @override
    async def create(self, create_dict: dict[str, Any]) -> User:
        user = User(**({"id": uuid7()} | create_dict))
        # Recorded before it is done: a conflict then costs the same statements as a success.
        await record(self.session, Action.USER_CREATED, user_id=user.id, **_flags(create_dict))
        self.session.add(user)
        await self._flush()
        return user

    @override
    async def update(self, user: User, update_dict: dict[str, Any]) -> User:
        changed = {name: value for name, value in update_dict.items() if getattr(user, name) != value}
        for name, value in changed.items():
            setattr(user, name, value)
        await self._flush()
        await self._record(user, changed)
        return user

    async def _record(self, user: User, changed: dict[str, Any]) -> None:
        for name, action in SEPARATE_EVENTS.items():
            if name in changed:
                await record(self.session, action, user_id=user.id)
        if rest := sorted(changed.keys() - SEPARATE_EVENTS.keys()):
            await record(self.session, Action.USER_CHANGED, user_id=user.id, changed=rest, **_flags(changed))

    @override
    async def delete(self, user: User) -> None:
        if not (await self.session.exec(delete(User).where(col(User.id) == user.id))).rowcount:
            raise exceptions.UserNotExists
        self.session.expunge(user)
        await record(self.session, Action.USER_DELETED, user_id=user.id)

    async def _flush(self) -> None:
        try:
            await self.session.flush()
        except IntegrityError as error:
            if violated(error) == EMAIL_INDEX.name:
                raise exceptions.UserAlreadyExists from error
            raise
        except StaleDataError as error:  # deleted since it was read
            raise exceptions.UserNotExists from error


def _flags(values: dict[str, Any]) -> dict[str, bool]:
    return {name: values[name] for name in FLAGS if name in values}


@contextmanager
def translate_errors(conflict: type[errors.Refusal], weak: type[errors.Refusal]) -> Iterator[None]:
    """Turn what FastAPI Users raises into the refusal of the operation that it happened in."""
    try:
        yield
    except exceptions.UserAlreadyExists:
        raise conflict from None
    except exceptions.InvalidPasswordException as error:
        raise weak(str(error.reason)) from None
    except exceptions.UserNotExists:
        raise errors.UserNotFound from None
