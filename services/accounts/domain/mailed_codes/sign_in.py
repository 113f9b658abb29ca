"""Sign-in by mailed code: who reads the mail of an address is its user."""

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.audit.log import Action, record
from accounts.domain.identity.claim import claim
from accounts.domain.mailed_codes import store
from accounts.domain.mailed_codes.codes import is_code
from accounts.domain.sessions.assurance import Assurance
from accounts.models import Method, User
from accounts.observability import metrics
from accounts.settings import Settings

BY_MAILED_CODE = Assurance((Method.MAILED_CODE,))


class MailedCodeManager:
    """Mails codes and verifies them. Methods run in the caller's transaction."""

    def __init__(self, db: Session, settings: Settings) -> None:
        self.db = db
        self.settings = settings

    async def request(self, email: str) -> str:
        """Mail a code, if an active user has this email address. Return the token that the code needs.

        Raises:
            SignInByCodeDisabled: SIGN_IN_BY_CODE is false.

        """
        self._require_enabled()
        return await store.request(self.db, email)

    async def authenticate(self, token: str, code: str) -> User:
        """Return the user of a code, whose email address it verifies. All codes of the user are used up.

        Raises:
            SignInByCodeDisabled: SIGN_IN_BY_CODE is false.
            LoginBadCode: the code is wrong or not usable. The attempt is counted, and the failure recorded.

        """
        self._require_enabled()
        user = await store.lock_user(self.db, token)
        attempted = await store.count_attempt(self.db, token)
        right = attempted is not None and is_code(self.settings.secret_keys, attempted.mail_id, code)
        if not (user and attempted and right and attempted.usable):
            metrics.WRONG_CODE.inc()
            await record(self.db, Action.SESSION_REFUSED, user_id=user.id if user else None, method=Method.MAILED_CODE)
            raise errors.LoginBadCode
        await store.delete_all(self.db, user)
        if not user.is_verified:
            await claim(self.db, self.settings, user)
        metrics.SIGNED_IN.inc()
        return user

    def _require_enabled(self) -> None:
        if not self.settings.sign_in_by_code:
            raise errors.SignInByCodeDisabled
