"""Proving an address and getting back in: the flows that mail a one-time token."""

import uuid
from typing import override

from fastapi import Request
from fastapi_users import BaseUserManager

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.identity import one_time_tokens
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.user_adapter import UserAdapter, translate_errors
from accounts.domain.mail import outbox
from accounts.domain.sessions.sessions import revoke_sessions
from accounts.models import MailKind, Purpose, User, UserSession


class Recovery(BaseUserManager[User, uuid.UUID]):
    """The half of the user manager that deals in tokens, in place of FastAPI Users' reusable JWTs."""

    user_db: UserAdapter
    db: Session
    passwords: PasswordHasher
    key: str

    async def request(self, purpose: Purpose, email: str) -> None:
        """Mail a token to an address, if somebody has it and needs one; say nothing either way, and take as long.

        The commit does not wait for the disk, which a transaction that wrote nothing would not do either. What a crash
        loses can be asked for again.
        """
        await self.db.exec(one_time_tokens.ASYNCHRONOUS_COMMIT)
        await one_time_tokens.send_token(self.db, self.key, email, purpose)

    @override
    async def request_verify(self, user: User, request: Request | None = None) -> None:
        await self.request(Purpose.VERIFY, user.email)

    @override
    async def verify(self, token: str, request: Request | None = None) -> User:
        """Mark as verified the user whose address a token was sent to.

        Raises:
            VerifyUserBadToken: the token is good for nothing, or not for this.

        """
        found = await one_time_tokens.consume_token(self.db, token, Purpose.VERIFY)
        if found is None:
            raise errors.VerifyUserBadToken
        return await self.user_db.update(found[0], {"is_verified": True})

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
        found = await one_time_tokens.find_token(self.db, token, Purpose.RESET)
        if found is None:
            raise errors.ResetPasswordBadToken
        user, _ = found
        with translate_errors(errors.UserNotFound, errors.ResetPasswordInvalidPassword):
            await self.validate_password(password, user)
        await self.db.release_connection()
        hashed = await self.passwords.hash(password)
        if await one_time_tokens.consume_token(self.db, token, Purpose.RESET) is None:
            raise errors.ResetPasswordBadToken
        user = await self.user_db.update(user, {"hashed_password": hashed})
        await self.distrust(user)
        await outbox.enqueue_to_user(self.db, MailKind.PASSWORD_CHANGED, user)
        return user

    async def distrust(self, user: User, keep: UserSession | None = None) -> None:
        """Kill all tokens and end all sessions but one, after the change of what they rest on was flushed."""
        await one_time_tokens.revoke_tokens(self.db, user)
        await revoke_sessions(self.db, user, keep.id if keep else None)
