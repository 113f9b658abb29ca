"""What protects a user's account besides the password: an overview, new recovery codes, and the reset by superusers."""

from datetime import timedelta
from typing import Any

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain import errors
from accounts.domain.audit.log import Action
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.reauthentication import Reauthentication
from accounts.domain.identity.second_factors import delete_factors
from accounts.domain.identity.security_notices import report_change
from accounts.domain.people import lock_user
from accounts.domain.recovery_codes import create_recovery_codes
from accounts.domain.sessions.sessions import SessionManager
from accounts.models import User, UserSession
from accounts.settings import Settings

OVERVIEW = CompiledStatement("""
    SELECT
        (SELECT confirmed_at FROM totp WHERE user_id = :user_id) AS totp,
        (SELECT count(*) FROM recovery_code WHERE user_id = :user_id) AS recovery_codes_left,
        (SELECT count(*) FROM passkey WHERE user_id = :user_id) AS passkeys
""")


class FactorManager:
    """Operations on all second factors of a user, in the caller's transaction."""

    def __init__(self, db: Session, passwords: PasswordHasher, settings: Settings) -> None:
        self.db = db
        self.passwords = passwords
        self.recent = timedelta(seconds=settings.recent_seconds)
        self.sessions = SessionManager(db, settings)

    async def overview(self, user: User) -> dict[str, Any]:
        """Return which second factors a user has: the members of ``FactorsRead``."""
        [row] = await OVERVIEW.run(self.db, user_id=user.id)
        return {**row._mapping, "totp": {"created_at": row.totp} if row.totp else None}  # noqa: SLF001  # public in SQLAlchemy

    async def require_recent(self, current: UserSession) -> None:
        """Raise ReauthenticationRequired unless the user of a session was authenticated recently, as is required."""
        await Reauthentication(self.db, self.passwords, self.recent, current).verify(None)

    async def renew_recovery_codes(
        self, user: User, current: UserSession, current_password: str | None = None
    ) -> list[str]:
        """Create recovery codes in place of the old ones. They are returned here and never again.

        Raises:
            BadCurrentPassword: the password is wrong.
            ReauthenticationRequired: the sign-in is too old, or of level 1.
            Busy: the queue of passwords to verify is full.
            NoSecondFactor: the user has no second factor that could be lost.

        """
        await self._reauthenticate(user, current, current_password)
        if not user.second_factors:
            raise errors.NoSecondFactor
        codes = await create_recovery_codes(self.db, user)
        await report_change(self.db, user, Action.RECOVERY_CODES_CREATED)
        return codes

    async def reset(self, user: User, current: UserSession | None = None, current_password: str | None = None) -> bool:
        """Delete all second factors of a user who lost them, and end all sessions. Return whether there were any.

        The caller is a superuser, or without ``current`` a command, which is trusted.

        Raises:
            BadCurrentPassword: the password is wrong.
            ReauthenticationRequired: the sign-in is too old, or of level 1.
            Busy: the queue of passwords to verify is full.
            UserNotFound: the user was deleted meanwhile.

        """
        await self._reauthenticate(user, current, current_password)
        user = await lock_user(self.db, user, or_inactive=True)
        had_factors = bool(user.second_factors)
        await delete_factors(self.db, user)
        if had_factors:
            await self.sessions.revoke_all(user)
            await report_change(self.db, user, Action.FACTORS_RESET)
        return had_factors

    async def _reauthenticate(self, user: User, current: UserSession | None, password: str | None) -> None:
        await Reauthentication(self.db, self.passwords, self.recent, current).verify_for(user, password)
