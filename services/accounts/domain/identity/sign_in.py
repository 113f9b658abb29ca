"""Sign-in with email address and password. An unknown address takes the same work as a wrong password."""

from sqlalchemy import update
from sqlmodel import col

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.audit.log import record_failed_sign_in
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.user_adapter import UserAdapter
from accounts.models import User
from accounts.observability import metrics


class SignInManager:
    """Verifies passwords without holding a connection. Methods run in the caller's transaction."""

    def __init__(self, db: Session, passwords: PasswordHasher) -> None:
        self.db = db
        self.passwords = passwords

    async def authenticate(self, email: str, password: str) -> User:
        """Return the active user with an email address and a password.

        Raises:
            LoginBadCredentials: either is wrong, or the user is inactive. The failure is recorded.
            Busy: the queue of passwords to verify is full.

        """
        await self.db.begin_autocommit()
        user = await UserAdapter(self.db).get_by_email(email)
        await self.db.release_connection()
        stored = user.hashed_password if user else None
        correct, rehashed = await self.passwords.verify(password, stored)
        if rehashed and user:  # unless the password was changed concurrently
            statement = update(User).where(col(User.id) == user.id, col(User.hashed_password) == stored)
            await self.db.exec(statement.values(hashed_password=rehashed))
        if user and correct and user.is_active:
            metrics.SIGNED_IN.inc()
            return user
        failure = metrics.INACTIVE if correct else metrics.WRONG_PASSWORD if user else metrics.UNKNOWN_ADDRESS
        failure.inc()
        await record_failed_sign_in(self.db, email, user)
        raise errors.LoginBadCredentials
