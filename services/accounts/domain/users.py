"""Users: FastAPI Users' manager and adapter, hashing off the event loop and committing nothing."""

import uuid
from datetime import timedelta
from typing import Any, override

from fastapi import Request
from fastapi_users import UUIDIDMixin, exceptions
from sqlmodel import col, select

from accounts.database import Session
from accounts.domain import errors, ownership, policy
from accounts.domain.passwords import Passwords
from accounts.domain.reauthentication import hold, reauthenticate
from accounts.domain.recovery import Deliver, Recovery
from accounts.domain.sign_in import SignIn
from accounts.domain.user_database import UserDatabase, naming
from accounts.models import User, UserSession
from accounts.schemas.user import UserCreate, UserUpdate


class UserManager(UUIDIDMixin, SignIn, Recovery):
    """Rules about users. Every method runs in the session's transaction, which somebody else ends."""

    def __init__(
        self, session: Session, passwords: Passwords, deliver: Deliver, recent: timedelta = timedelta(minutes=10)
    ) -> None:
        """``recent`` is how long a sign-in proves who somebody is."""
        super().__init__(UserDatabase(session, User))
        self.recent = recent
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
    async def update(  # type: ignore[override]  # as above
        self, user_update: UserUpdate, user: User, current: UserSession | None = None
    ) -> User:
        """Change what ``user_update`` names; ``current`` is the session of whoever asks.

        A new password or address ends all other sessions of the user, and deactivation all of them.

        Raises:
            BadCurrentPassword: of users who change their own password or address.
            ReauthenticationRequired: of the same.
            UpdateUserEmailAlreadyExists: also when two callers race for one address.
            UpdateUserInvalidPassword: the policy refuses the password.
            LastSuperuser: nobody could administer the system any more.
            LastOwner: groups would be left without an active owner.
            UserNotFound: the user was deleted meanwhile.
            Busy: too many passwords are waiting to be hashed.

        """
        values = user_update.model_dump(exclude_unset=True)
        if values.get("email") == user.email:
            del values["email"]
        current_password = values.pop("current_password", None)
        own = _own(user, current) if values.keys() & {"password", "email"} else None
        if own:
            await reauthenticate(self.session, self.passwords, user, own, current_password, self.recent)
        with naming(errors.UpdateUserEmailAlreadyExists, errors.UpdateUserInvalidPassword):
            values = await self._prepared(user, values)
            if own:
                await hold(self.session, user, own, self.recent)
            user = await self.user_db.update(user, values)
        if not values.get("is_active", True):
            current = None
        elif not values.keys() & {"hashed_password", "email"}:
            return user
        await self.distrust(user, current)
        return user

    async def _prepared(self, user: User, values: dict[str, Any]) -> dict[str, Any]:
        """Apply the rules to a change, and make of it what is stored."""
        if password := values.pop("password", None):
            await self.validate_password(password, user, values.get("email", ""), values.get("display_name", ""))
            await self.session.release()
            values["hashed_password"] = await self.passwords.hash(password)
        if "email" in values:
            values = {"is_verified": False} | values
        if not (values.get("is_superuser", True) and values.get("is_active", True)):
            await self._refuse_last_superuser(user)
        if not values.get("is_active", True):
            await ownership.let_go(self.session, user)
        return values

    @override
    async def delete(
        self,
        user: User,
        request: Request | None = None,
        current: UserSession | None = None,
        current_password: str | None = None,
    ) -> None:
        """Delete a user with the memberships, sessions and tokens; ``current`` is the session of whoever asks.

        Raises:
            BadCurrentPassword: of users who delete themselves.
            ReauthenticationRequired: of the same.
            LastSuperuser: nobody could administer the system any more.
            LastOwner: groups would be left without an active owner.
            UserNotFound: the user was deleted meanwhile.
            Busy: too many passwords are waiting to be compared.

        """
        own = _own(user, current)
        if own:
            await reauthenticate(self.session, self.passwords, user, own, current_password, self.recent)
        await self._refuse_last_superuser(user)
        if own:
            await hold(self.session, user, own, self.recent)
        await ownership.let_go(self.session, user)
        with naming(errors.UserNotFound, errors.UserNotFound):
            await self.user_db.delete(user)

    async def _refuse_last_superuser(self, user: User) -> None:
        # Locking all of them makes two superusers who demote each other at the same instant wait for one another; and
        # who was none when read may be the last one by now.
        statement = select(User.id).where(User.is_superuser, User.is_active).order_by(col(User.id))
        if (await self.session.exec(statement.with_for_update(key_share=True))).all() == [user.id]:
            raise errors.LastSuperuser

    @override
    async def validate_password(self, password: str, user: UserCreate | User, *also: str) -> None:  # type: ignore[override]  # as above
        """Apply the policy; ``also`` is what else others may know of the user.

        Raises:
            InvalidPasswordException: with a reason to show.

        """
        about = (user.email, user.display_name, *also)
        if reason := policy.objection(password, self.passwords.shortest, about):
            raise exceptions.InvalidPasswordException(reason)


def _own(user: User, current: UserSession | None) -> UserSession | None:
    """The session, if it is the user's own: superusers need not prove anything to change others."""
    return current if current and current.user_id == user.id else None
