"""Reset of a forgotten password, by a token that is sent to the user's email address."""

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.access_keys.store import AccessKeyStore
from accounts.domain.identity import one_time_tokens
from accounts.domain.identity.claim import delete_other_ways_in, may_be_of_a_stranger
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.user_adapter import UserAdapter
from accounts.domain.mail import outbox
from accounts.domain.sessions.sessions import SessionManager
from accounts.models import MailKind, Purpose, User
from accounts.settings import Settings


class PasswordResetManager:
    """Resets forgotten passwords. Methods run in the caller's transaction."""

    def __init__(self, db: Session, passwords: PasswordHasher, settings: Settings) -> None:
        self.db = db
        self.passwords = passwords
        self.key = settings.secret_keys[0]
        self.sessions = SessionManager(db, settings)

    async def request(self, email: str) -> None:
        """Send a token, if an active user has this email address."""
        await one_time_tokens.request_token(self.db, self.key, email, Purpose.RESET)

    async def find_user(self, token: str) -> User:
        """Return the user whose password a token can reset. The token stays usable.

        Raises:
            ResetPasswordBadToken: the token is not usable for this.

        """
        user, _ = await one_time_tokens.find_token(self.db, token, Purpose.RESET) or (None, None)
        if user is None:
            raise errors.ResetPasswordBadToken
        return user

    async def reset(self, token: str, password: str) -> User:
        """Set a new password, end all sessions, and revoke all other tokens and access keys.

        The token was sent to the user's email address, so it verifies that as well. If no address was verified before,
        a stranger may have signed up with it: second factors and accounts at other providers end, too.

        Raises:
            ResetPasswordBadToken: the token is not usable for this.
            ResetPasswordInvalidPassword: the policy refuses the password. The token stays usable.
            Busy: the queue of passwords to hash is full. The token stays usable.

        """
        user = await self.find_user(token)
        await self.db.release_connection()
        about = (user.email, user.display_name)
        hashed = await self.passwords.hash_new(password, about, errors.ResetPasswordInvalidPassword)
        if await one_time_tokens.consume_token(self.db, token, Purpose.RESET) is None:
            raise errors.ResetPasswordBadToken
        if may_be_of_a_stranger(user):  # ``consume_token`` has locked the user, and read the row again
            await delete_other_ways_in(self.db, user)
        user = await UserAdapter(self.db).update(user, {"hashed_password": hashed, "is_verified": True})
        await one_time_tokens.revoke_tokens(self.db, user)
        await self.sessions.revoke_all(user)
        await AccessKeyStore(self.db).revoke_all(user)
        await outbox.enqueue_notice(self.db, MailKind.PASSWORD_CHANGED, user)
        return user
