"""Storage of users: FastAPI Users' SQLAlchemy adapter, without its commits and with audit events."""

import uuid
from typing import Any, override

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
from accounts.models.base import folded
from accounts.models.identity import EMAIL_INDEX

# Changes with an event of their own. For all others the event has the column's name, and the value of a flag.
SEPARATE_EVENTS = {"hashed_password": Action.PASSWORD_CHANGED, "email": Action.EMAIL_CHANGED}
FLAGS = ("is_active", "is_superuser", "is_verified")
BY_EMAIL = select(User).where(func.lower(User.email) == folded(bindparam("email", type_=String)))


class UserAdapter(SQLAlchemyUserDatabase[User, uuid.UUID]):
    """FastAPI Users' adapter. It flushes where the original commits, and raises the domain's errors."""

    session: Session

    def __init__(self, db: Session) -> None:
        super().__init__(db, User)

    @override
    async def get(self, id: uuid.UUID) -> User | None:
        return await self.session.get(User, id)

    @override
    async def get_by_email(self, email: str) -> User | None:
        return (await self.session.exec(BY_EMAIL, params={"email": email})).one_or_none()

    @override
    async def create(self, create_dict: dict[str, Any]) -> User:
        """Insert a user.

        Raises:
            RegisterUserAlreadyExists: the email address is taken.

        """
        user = User(**({"id": uuid7()} | create_dict))
        # The event comes first: a conflict then runs the same statements as a success.
        await record(self.session, Action.USER_CREATED, user_id=user.id, **_flags(create_dict))
        self.session.add(user)
        await self._flush(errors.RegisterUserAlreadyExists)
        return user

    @override
    async def update(self, user: User, update_dict: dict[str, Any]) -> User:
        """Update the columns whose values differ.

        Raises:
            UpdateUserEmailAlreadyExists: another user has the email address.
            UserNotFound: the user was deleted concurrently.

        """
        changed = {name: value for name, value in update_dict.items() if getattr(user, name) != value}
        for name, value in changed.items():
            setattr(user, name, value)
        await self._flush(errors.UpdateUserEmailAlreadyExists)
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
        """Delete a user.

        Raises:
            UserNotFound: the user was deleted concurrently.

        """
        if not (await self.session.exec(delete(User).where(col(User.id) == user.id))).rowcount:
            raise errors.UserNotFound
        self.session.expunge(user)
        await record(self.session, Action.USER_DELETED, user_id=user.id)

    async def _flush(self, conflict: type[errors.Refusal]) -> None:
        try:
            await self.session.flush()
        except IntegrityError as error:
            if violated(error) == EMAIL_INDEX.name:
                raise conflict from None
            raise
        except StaleDataError:
            raise errors.UserNotFound from None


def _flags(values: dict[str, Any]) -> dict[str, bool]:
    return {name: values[name] for name in FLAGS if name in values}
