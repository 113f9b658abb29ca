"""Proving an address and getting back in: the flows that send a one-time token."""

import uuid
from collections.abc import Callable
from typing import override

from fastapi import Request
from fastapi_users import BaseUserManager

from accounts.database import Session
from accounts.domain import errors, tokens
from accounts.domain.passwords import Passwords
from accounts.domain.user_database import UserDatabase, naming
from accounts.models import Purpose, User

Deliver = Callable[[Purpose, str, str], None]
"""Hands a token over: its purpose, the address to send it to, and the token. Called before the commit."""


class Recovery(BaseUserManager[User, uuid.UUID]):
    """The half of the user manager that deals in tokens, in place of FastAPI Users' reusable JWTs."""

    user_db: UserDatabase
    session: Session
    passwords: Passwords
    deliver: Deliver

    async def request(self, purpose: Purpose, email: str) -> None:
        """Send a token to an address, if somebody has it and needs one; say nothing either way."""
        user = await self.user_db.get_by_email(email)
        if user is not None:
            await (self.request_verify(user) if purpose is Purpose.VERIFY else self.forgot_password(user))

    @override
    async def request_verify(self, user: User, request: Request | None = None) -> None:
        """Send a token that proves the user's address, unless it is proven already."""
        if user.is_active and not user.is_verified:
            token = await tokens.issue(self.session, user, Purpose.VERIFY)
            await self.on_after_request_verify(user, token, request)

    @override
    async def verify(self, token: str, request: Request | None = None) -> User:
        """Mark as verified the user whose address a token was sent to.

        Raises:
            VerifyUserBadToken: the token is good for nothing, or not for this.

        """
        user = await tokens.use(self.session, token, Purpose.VERIFY)
        if user is None:
            raise errors.VerifyUserBadToken
        user = await self.user_db.update(user, {"is_verified": True})
        await self.on_after_verify(user, request)
        return user

    @override
    async def forgot_password(self, user: User, request: Request | None = None) -> None:
        """Send a token that allows to set a new password."""
        if user.is_active:
            token = await tokens.issue(self.session, user, Purpose.RESET)
            await self.on_after_forgot_password(user, token, request)

    @override
    async def reset_password(self, token: str, password: str, request: Request | None = None) -> User:
        """Set a new password.

        Raises:
            ResetPasswordBadToken: the token is good for nothing, or not for this.
            ResetPasswordInvalidPassword: the policy refuses the password; the token stays usable.

        """
        user = await tokens.holder(self.session, token, Purpose.RESET)
        if user is None:
            raise errors.ResetPasswordBadToken
        with naming(errors.UserNotFound, errors.ResetPasswordInvalidPassword):
            await self.validate_password(password, user)
        await self.session.release()
        hashed = await self.passwords.hash(password)
        if await tokens.use(self.session, token, Purpose.RESET) is None:
            raise errors.ResetPasswordBadToken
        await tokens.revoke(self.session, user)
        user = await self.user_db.update(user, {"hashed_password": hashed})
        await self.on_after_reset_password(user, request)
        return user

    @override
    async def on_after_request_verify(self, user: User, token: str, request: Request | None = None) -> None:
        self.deliver(Purpose.VERIFY, user.email, token)

    @override
    async def on_after_forgot_password(self, user: User, token: str, request: Request | None = None) -> None:
        self.deliver(Purpose.RESET, user.email, token)
