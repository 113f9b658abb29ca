"""Sign-in by mailed code: who reads the mail of an address is its user."""

from accounts.db.session import Session
from accounts.domain.identity.claim import claim
from accounts.domain.mailed_codes import store
from accounts.domain.mailed_codes.verify import require_enabled, use_code
from accounts.domain.sessions.assurance import Assurance
from accounts.models import Method, User
from accounts.observability import metrics
from accounts.settings import Settings

BY_MAILED_CODE = Assurance((Method.MAILED_CODE,))


class MailedCodeManager:
    """Mails codes and signs users in by them. Methods run in the caller's transaction."""

    def __init__(self, db: Session, settings: Settings) -> None:
        self.db = db
        self.settings = settings

    async def request(self, email: str) -> str:
        """Mail a code, if an active user has this email address. Return the token that the code needs.

        Raises:
            SignInByCodeDisabled: SIGN_IN_BY_CODE is false.

        """
        require_enabled(self.settings)
        return await store.request(self.db, email)

    async def authenticate(self, token: str, code: str) -> User:
        """Return the user of a code, whose email address it verifies; see ``use_code``."""
        user = await use_code(self.db, self.settings, token, code)
        if not user.is_verified:
            await claim(self.db, self.settings, user)
        metrics.SIGNED_IN.inc()
        return user
