"""Enrolment of an authenticator app: a new secret, which counts once a code confirms that the app has it."""

import os
from datetime import timedelta

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain import errors
from accounts.domain.audit.log import Action
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.reauthentication import Reauthentication
from accounts.domain.identity.second_factors import refresh_factors
from accounts.domain.identity.security_notices import report_change
from accounts.domain.people import lock_user
from accounts.domain.recovery_codes import create_missing_codes
from accounts.domain.sealing import seal
from accounts.domain.sessions.assurance import assurance_of
from accounts.domain.sessions.sessions import SessionManager
from accounts.domain.totp.codes import PURPOSE, UNCONFIRMED_LIFETIME, open_secret, use_code
from accounts.models import Method, User, UserSession
from accounts.settings import Settings

SECRET_BYTES = 20  # 160 bits, as RFC 4226, 4, recommends

STORE = CompiledStatement("""
    INSERT INTO totp (user_id, secret_sealed) VALUES (:user_id, :sealed)
    ON CONFLICT (user_id) DO UPDATE SET secret_sealed = :sealed, created_at = now() WHERE totp.confirmed_at IS NULL
    RETURNING user_id
""")
SELECT = CompiledStatement("""
    SELECT secret_sealed, confirmed_at FROM totp
    WHERE user_id = :user_id AND (confirmed_at IS NOT NULL OR created_at > now() - CAST(:lifetime AS interval))
""")
DELETE = CompiledStatement("DELETE FROM totp WHERE user_id = :user_id RETURNING confirmed_at")


class TotpManager:
    """Adds and removes authenticator apps, in the caller's transaction.

    ``current`` is the session of the user, who reauthenticates with ``current_password`` or by a recent sign-in; see
    ``identity.reauthentication``.
    """

    def __init__(self, db: Session, passwords: PasswordHasher, settings: Settings) -> None:
        self.db = db
        self.passwords = passwords
        self.settings = settings
        self.sessions = SessionManager(db, settings)

    async def start(self, user: User, current: UserSession, current_password: str | None = None) -> bytes:
        """Create a secret for an authenticator app, in place of one that is not confirmed, and return it.

        Raises:
            BadCurrentPassword: the password is wrong.
            ReauthenticationRequired: the sign-in is too old or of level 1, and no password is given or suffices.
            Busy: the queue of passwords to verify is full.
            TotpExists: the user has an authenticator app.

        """
        await self._reauthenticate(user, current, current_password)
        secret = os.urandom(SECRET_BYTES)
        sealed = seal(self.settings.secret_keys[0], PURPOSE, user.id, secret)
        if not await STORE.run(self.db, user_id=user.id, sealed=sealed):
            raise errors.TotpExists
        return secret

    async def pending_secret(self, user: User, current: UserSession) -> bytes | None:
        """Return the secret that waits for its confirmation, if there is one, to a user who signed in recently.

        Raises:
            ReauthenticationRequired: the sign-in is too old, or of level 1.
            TotpExists: the user has an authenticator app.
            FactorUnavailable: the secret cannot be read.

        """
        await Reauthentication(self.db, self.passwords, self._recent, current).verify(None)
        return await self._pending_secret(user)

    async def confirm(self, user: User, current: UserSession, code: str) -> list[str]:
        """Confirm the authenticator app by a code, raise the session to level 2, and end all other sessions.

        Returns:
            Recovery codes, unless the user has some already.

        Raises:
            BadSecondFactor: the code is wrong.
            TotpNotFound: no secret was created in the last hour.
            TotpExists: the user has an authenticator app.
            ReauthenticationRequired: the user has got a second factor meanwhile, in another session.
            UserNotFound: the user was deleted or deactivated meanwhile.
            SessionNotFound: the session has ended meanwhile.

        """
        user = await lock_user(self.db, user)
        secret = await self._pending_secret(user)
        if secret is None:
            raise errors.TotpNotFound
        if user.second_factors and current.aal == 1:
            raise errors.ReauthenticationRequired(self.settings.recent_seconds, 2)
        await use_code(self.db, user.id, secret, code)
        codes = await create_missing_codes(self.db, user)
        await self.sessions.elevate(current, assurance_of(current).plus(Method.TOTP))
        await self._changed(user, current, Action.TOTP_ADDED)
        return codes

    async def remove(self, user: User, current: UserSession, current_password: str | None = None) -> None:
        """Remove the authenticator app, and end all other sessions. Recovery codes stay beside another factor only.

        Raises:
            BadCurrentPassword: the password is wrong.
            ReauthenticationRequired: the sign-in is too old or of level 1.
            Busy: the queue of passwords to verify is full.
            TotpNotFound: the user has no authenticator app.

        """
        await self._reauthenticate(user, current, current_password)
        rows = await DELETE.run(self.db, user_id=user.id)
        if not rows:
            raise errors.TotpNotFound
        if rows[0].confirmed_at:
            await refresh_factors(self.db, user)
            await self._changed(user, current, Action.TOTP_REMOVED)

    async def _pending_secret(self, user: User) -> bytes | None:
        rows = await SELECT.run(self.db, user_id=user.id, lifetime=UNCONFIRMED_LIFETIME)
        if not rows:
            return None
        if rows[0].confirmed_at:
            raise errors.TotpExists
        return open_secret(self.settings, user.id, rows[0].secret_sealed)

    async def _changed(self, user: User, current: UserSession, action: Action) -> None:
        await self.sessions.revoke_all(user, keep=current)
        await report_change(self.db, user, action)

    async def _reauthenticate(self, user: User, current: UserSession, password: str | None) -> None:
        await Reauthentication(self.db, self.passwords, self._recent, current).verify_for(user, password)

    @property
    def _recent(self) -> timedelta:
        return timedelta(seconds=self.settings.recent_seconds)
