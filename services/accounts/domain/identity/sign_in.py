"""Signing in with an address and a password: whoever has no account learns nothing, and waits no shorter."""

import uuid
from typing import override

from fastapi.security import OAuth2PasswordRequestForm
from fastapi_users import BaseUserManager
from sqlalchemy import update
from sqlmodel import col

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.audit.log import record_failed_sign_in
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.models import User
from accounts.observability import metrics
from accounts.schemas.identity.auth import LoginForm


class SignIn(BaseUserManager[User, uuid.UUID]):
    """The part of the user manager that compares passwords, on threads and without a connection."""

    db: Session
    passwords: PasswordHasher

    async def sign_in(self, credentials: LoginForm) -> User:
        """Authenticate an active user.

        Raises:
            LoginBadCredentials: whatever the cause.
            Busy: too many sign-ins are waiting.

        """
        user = await self.authenticate(credentials)
        if user is None:
            raise errors.LoginBadCredentials
        if not user.is_active:
            metrics.INACTIVE.inc()
            await record_failed_sign_in(self.db, user.email, user)
            raise errors.LoginBadCredentials
        metrics.SIGNED_IN.inc()
        return user

    @override
    async def authenticate(self, credentials: OAuth2PasswordRequestForm | LoginForm) -> User | None:
        """Find the user whom an address and a password stand for; a wrong address costs the same time as a right one.

        Raises:
            Busy: too many sign-ins are waiting.

        """
        await self.db.begin_autocommit()
        user = await self.user_db.get_by_email(credentials.username)
        await self.db.release_connection()
        seen = user.hashed_password if user else None
        agrees, rehashed = await self.passwords.verify(credentials.password, seen)
        if user is None or not agrees:
            (metrics.WRONG_PASSWORD if user else metrics.UNKNOWN_ADDRESS).inc()
            await record_failed_sign_in(self.db, credentials.username, user)
            return None
        if rehashed:  # unless the password was changed meanwhile
            statement = update(User).where(col(User.id) == user.id, col(User.hashed_password) == seen)
            await self.db.exec(statement.values(hashed_password=rehashed))
        return user
