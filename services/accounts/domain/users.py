"""Users: FastAPI Users' manager and adapter, hashing off the event loop and committing nothing."""

import uuid
from typing import Any, override

from fastapi import Request
from fastapi.security import OAuth2PasswordRequestForm
from fastapi_users import UUIDIDMixin, exceptions
from sqlalchemy import update
from sqlmodel import col, select

from accounts.database import Session
from accounts.domain import errors, policy, tokens
from accounts.domain.passwords import Passwords
from accounts.domain.recovery import Deliver, Recovery
from accounts.domain.user_database import UserDatabase, naming
from accounts.models import User
from accounts.schemas.user import UserCreate, UserUpdate


class UserManager(UUIDIDMixin, Recovery):
    """Rules about users. Every method runs in the session's transaction, which somebody else ends."""

    def __init__(self, session: Session, passwords: Passwords, deliver: Deliver) -> None:
        super().__init__(UserDatabase(session, User))
        self.session = session
        self.passwords = passwords
        self.deliver = deliver

    async def by_id(self, user_id: uuid.UUID) -> User:
        """Find a user.

        Raises:
            UserNotFound: there is none.

        """
        user = await self.user_db.get(user_id)
        if user is None:
            raise errors.UserNotFound
        return user

    @override
    async def create(self, user_create: UserCreate) -> User:  # type: ignore[override]  # the schema decides what is safe
        """Make a user.

        Raises:
            RegisterUserAlreadyExists: also when two callers race for one address.
            RegisterInvalidPassword: the policy refuses the password.
            Busy: too many passwords are waiting to be hashed.

        """
        values = user_create.model_dump()
        password = values.pop("password")
        with naming(errors.RegisterUserAlreadyExists, errors.RegisterInvalidPassword):
            await self.validate_password(password, user_create)
            user = await self.user_db.create(values | {"hashed_password": await self.passwords.hash(password)})
        await self.on_after_register(user)
        return user

    @override
    async def update(self, user_update: UserUpdate, user: User) -> User:  # type: ignore[override]  # as above
        """Change what ``user_update`` names.

        Raises:
            UpdateUserEmailAlreadyExists: also when two callers race for one address.
            UpdateUserInvalidPassword: the policy refuses the password.
            LastSuperuser: nobody could administer the system any more.
            UserNotFound: the user was deleted meanwhile.
            Busy: too many passwords are waiting to be hashed.

        """
        with naming(errors.UpdateUserEmailAlreadyExists, errors.UpdateUserInvalidPassword):
            return await self._update(user, user_update.model_dump(exclude_unset=True))

    @override
    async def _update(self, user: User, update_dict: dict[str, Any]) -> User:
        values = dict(update_dict)
        if password := values.pop("password", None):
            await self.validate_password(password, user, values.get("email", ""), values.get("display_name", ""))
            await self.session.release()
            values["hashed_password"] = await self.passwords.hash(password)
        if values.get("email", user.email) != user.email:
            values = {"is_verified": False} | values
        if user.is_superuser and not (values.get("is_superuser", True) and values.get("is_active", True)):
            await self._refuse_last_superuser(user)
        if values.keys() & {"hashed_password", "email"}:
            await tokens.revoke(self.session, user)
        user = await self.user_db.update(user, values)
        await self.on_after_update(user, values)
        return user

    @override
    async def delete(self, user: User, request: Request | None = None) -> None:
        """Delete a user with the memberships and tokens.

        Raises:
            LastSuperuser: nobody could administer the system any more.
            UserNotFound: the user was deleted meanwhile.

        """
        await self.on_before_delete(user, request)
        if user.is_superuser:
            await self._refuse_last_superuser(user)
        with naming(errors.UserNotFound, errors.UserNotFound):
            await self.user_db.delete(user)
        await self.on_after_delete(user, request)

    async def _refuse_last_superuser(self, user: User) -> None:
        # Locking all of them makes two superusers who demote each other at the same instant wait for one another.
        statement = select(User.id).where(User.is_superuser, User.is_active).order_by(col(User.id)).with_for_update()
        if set((await self.session.exec(statement)).all()) <= {user.id}:
            raise errors.LastSuperuser

    async def sign_in(self, credentials: OAuth2PasswordRequestForm) -> User:
        """Authenticate an active user.

        Raises:
            LoginBadCredentials: whatever the cause.
            Busy: too many sign-ins are waiting.

        """
        user = await self.authenticate(credentials)
        if user is None or not user.is_active:
            raise errors.LoginBadCredentials
        return user

    @override
    async def authenticate(self, credentials: OAuth2PasswordRequestForm) -> User | None:
        """Find the user whom an address and a password stand for; a wrong address costs the same time as a right one.

        Raises:
            Busy: too many sign-ins are waiting.

        """
        user = await self.user_db.get_by_email(credentials.username)
        await self.session.release()
        seen = user.hashed_password if user else None
        agrees, rehashed = await self.passwords.verify(credentials.password, seen)
        if user is None or not agrees:
            return None
        if rehashed:  # unless the password was changed meanwhile
            statement = update(User).where(col(User.id) == user.id, col(User.hashed_password) == seen)
            await self.session.exec(statement.values(hashed_password=rehashed))
        return user

    @override
    async def validate_password(self, password: str, user: UserCreate | User, *also: str) -> None:  # type: ignore[override]  # as above
        """Apply the policy; ``also`` is what else others may know of the user.

        Raises:
            InvalidPasswordException: with a reason to show.

        """
        about = (user.email, user.display_name, *also)
        if reason := policy.objection(password, self.passwords.shortest, about):
            raise exceptions.InvalidPasswordException(reason)
