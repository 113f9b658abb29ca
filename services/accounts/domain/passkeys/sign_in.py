"""Sign-in with a passkey alone. The browser finds the passkeys, so the service says nothing about who has one."""

from typing import Any

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.audit.log import Action, record
from accounts.domain.passkeys import assertions
from accounts.domain.passkeys.challenges import SIGN_IN, create_challenge
from accounts.domain.passkeys.options import request_options
from accounts.domain.passkeys.relying_party import relying_party
from accounts.domain.passkeys.responses import Response
from accounts.domain.people import lock_user
from accounts.domain.sessions.assurance import Assurance
from accounts.models import Method, Passkey, User
from accounts.observability import metrics
from accounts.settings import Settings


class PasskeySignInManager:
    """Operations of a sign-in, in the caller's transaction."""

    def __init__(self, db: Session, settings: Settings) -> None:
        self.db = db
        self.settings = settings

    async def begin(self) -> dict[str, Any]:
        """Begin a sign-in, and return its options, the same for everyone but for the challenge.

        Raises:
            PasskeysUnavailable: no page could use them.

        """
        party = relying_party(self.settings)
        return request_options(party, await create_challenge(self.db, SIGN_IN))

    async def authenticate(self, response: Response) -> tuple[User, Assurance]:
        """Return the active user of a passkey, locked, and the assurance: two factors, as a device verified the user.

        Raises:
            BadPasskey: the response proves no passkey, or one of an inactive user. The failure is recorded.

        """
        try:
            passkey, challenge = await assertions.find_passkey(self.db, SIGN_IN, response)
        except errors.BadPasskey:
            metrics.BAD_PASSKEY.inc()
            raise
        try:
            return await self._authenticate(passkey, challenge, response)
        except errors.BadPasskey:
            metrics.BAD_PASSKEY.inc()
            await record(self.db, Action.SESSION_REFUSED, user_id=passkey.user_id, passkey=passkey.name)
            raise

    async def _authenticate(self, passkey: Passkey, challenge: bytes, response: Response) -> tuple[User, Assurance]:
        assertion = await assertions.verify(self.settings, passkey, challenge, response)
        user = await self._lock(passkey)
        methods = await assertions.count_use(self.db, user, passkey, assertion)
        metrics.SIGNED_IN.inc()
        return user, Assurance((*methods, Method.MULTIPLE), 2)

    async def _lock(self, passkey: Passkey) -> User:
        try:
            return await lock_user(self.db, User(id=passkey.user_id))
        except errors.UserNotFound:
            raise errors.BadPasskey from None
