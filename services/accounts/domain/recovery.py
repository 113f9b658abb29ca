"""Proving an address and getting back in: the flows that send a one-time token."""

import uuid
from collections.abc import Callable
from typing import override

from fastapi import Request
from fastapi_users import BaseUserManager

from accounts.database import Session
from accounts.domain import errors, tokens
from accounts.domain.passwords import Passwords
from accounts.domain.sessions import revoke_others
from accounts.domain.user_database import UserDatabase, naming
from accounts.models import Purpose, User, UserSession

Deliver = Callable[[str, str, str], None]
"""Hands a token over: what it is for (a ``Purpose``, or ``invitation``), the address to send it to, and the token.

Called before the commit."""


class Recovery(BaseUserManager[User, uuid.UUID]):
    """The half of the user manager that deals in tokens, in place of FastAPI Users' reusable JWTs."""

    user_db: UserDatabase
    session: Session
    passwords: Passwords
    deliver: Deliver

    async def request(self, purpose: Purpose, email: str) -> None:
        """Send a token to an address, if somebody has it and needs one; say nothing either way, and take as long."""
        issued = await tokens.issue(self.session, email, purpose)
        if issued and purpose is Purpose.VERIFY:
            await self.on_after_request_verify(*issued)
        elif issued:
            await self.on_after_forgot_password(*issued)

    @override
    async def request_verify(self, user: User, request: Request | None = None) -> None:
        await self.request(Purpose.VERIFY, user.email)

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
        await self.request(Purpose.RESET, user.email)

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
        user = await self.user_db.update(user, {"hashed_password": hashed})
        await self.distrust(user)
        await self.on_after_reset_password(user, request)
        return user

    async def distrust(self, user: User, keep: UserSession | None = None) -> None:
        """Kill all tokens and end all sessions but one, after the change of what they rest on was flushed."""
        await tokens.revoke(self.session, user)
        await revoke_others(self.session, user, keep.id if keep else None)

    @override
    async def on_after_request_verify(self, user: User, token: str, request: Request | None = None) -> None:
        self.deliver(Purpose.VERIFY, user.email, token)

    @override
    async def on_after_forgot_password(self, user: User, token: str, request: Request | None = None) -> None:
        self.deliver(Purpose.RESET, user.email, token)
