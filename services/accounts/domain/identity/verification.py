"""Verification of a user's email address, by a token that is sent there."""

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.identity import one_time_tokens
from accounts.domain.identity.user_adapter import UserAdapter
from accounts.models import Purpose, User
from accounts.settings import Settings


class VerificationManager:
    """Verifies email addresses. Methods run in the caller's transaction."""

    def __init__(self, db: Session, settings: Settings) -> None:
        self.db = db
        self.key = settings.secret_keys[0]

    async def request(self, email: str) -> None:
        """Send a token, if an active user has this email address and it is not verified."""
        await one_time_tokens.request_token(self.db, self.key, email, Purpose.VERIFY)

    async def verify(self, token: str) -> User:
        """Mark the email address that a token was sent to as verified.

        Raises:
            VerifyUserBadToken: the token is not usable for this.

        """
        user, _ = await one_time_tokens.consume_token(self.db, token, Purpose.VERIFY) or (None, None)
        if user is None:
            raise errors.VerifyUserBadToken
        return await UserAdapter(self.db).update(user, {"is_verified": True})
