"""Storage of users: FastAPI Users' SQLAlchemy adapter, without its commits and with audit events."""

import uuid
from typing import Any, override

from fastapi_users_db_sqlalchemy import SQLAlchemyUserDatabase
from sqlalchemy import String, Uuid, bindparam, delete, func
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import col, select
from uuid_utils.compat import uuid7

from accounts.db.errors import violated
from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.audit.log import Action, record
from accounts.domain.identity.reserved_emails import email_is_reserved
from accounts.models import User
from accounts.models.base import folded
from accounts.models.identity import EMAIL_INDEX

# Changes with an event of their own. For all others the event has the column's name, and the value of a flag.
SEPARATE_EVENTS = {"hashed_password": Action.PASSWORD_CHANGED, "email": Action.EMAIL_CHANGED}
FLAGS = ("is_active", "is_superuser", "is_verified")
BY_EMAIL = select(User).where(func.lower(User.email) == folded(bindparam("email", type_=String)))
IS_RESERVED = select(email_is_reserved(bindparam("email", type_=String), bindparam("user_id", type_=Uuid)))


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
        """Insert a user. A refusal runs the same statements as a success, and leaves their changes to the caller.

        Raises:
            RegisterUserAlreadyExists: the email address is taken or reserved.

        """
        user = User(**({"id": uuid7()} | create_dict))
        await record(self.session, Action.USER_CREATED, user_id=user.id, **_flags(create_dict))
        inserted = await self._insert(user)
        if await self.is_reserved(create_dict["email"], user.id) or not inserted:
            raise errors.RegisterUserAlreadyExists
        return user

    async def _insert(self, user: User) -> bool:
        try:
            async with self.session.begin_nested():
                self.session.add(user)
                await self._flush(errors.RegisterUserAlreadyExists)
        except errors.RegisterUserAlreadyExists:
            return False
        return True

    async def is_reserved(self, email: str, user_id: uuid.UUID | None = None) -> bool:
        """Return whether an email address is reserved for a user other than ``user_id``."""
        # In a statement after the one that waits on the unique index: a concurrent change of email reserves an address
        # in the transaction that frees it.
        return bool(await self.session.scalar(IS_RESERVED, params={"email": email, "user_id": user_id}))

    @override
    async def update(self, user: User, update_dict: dict[str, Any]) -> User:
        """Update the columns whose values differ.

        Raises:
            UpdateUserEmailAlreadyExists: another user has the email address, or it is reserved.
            UserNotFound: the user was deleted concurrently.

        """
        changed = {name: value for name, value in update_dict.items() if getattr(user, name) != value}
        for name, value in changed.items():
            setattr(user, name, value)
        await self._flush(errors.UpdateUserEmailAlreadyExists)
        if "email" in changed and await self.is_reserved(user.email, user.id):
            raise errors.UpdateUserEmailAlreadyExists
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
