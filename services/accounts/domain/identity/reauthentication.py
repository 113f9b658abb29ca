"""Step-up authentication (OWASP ASVS 5.0, 7.5): sensitive operations require the current password or a recent sign-in.

Of users with a second factor they require that the session is of assurance level 2, and recent.

Sensitive is every change of a user but the display name and the language: creation, deletion, credentials, email
address, flags, and a superuser ending the sessions of a user.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlmodel import col, select

from accounts.db.session import LastProof, Session
from accounts.domain import errors
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.people import require_recent_proof
from accounts.models import User, UserSession

NOT_SENSITIVE = {"display_name", "language"}


def is_sensitive(user: User, changes: Mapping[str, Any]) -> bool:
    """Return whether changes of a user's fields are sensitive. A field that keeps its value is no change."""
    return any(getattr(user, name, None) != value for name, value in changes.items() if name not in NOT_SENSITIVE)


class Reauthentication:
    """The caller of one operation. Without a session it is a command, which is trusted: both methods return at once."""

    def __init__(self, db: Session, passwords: PasswordHasher, recent: timedelta, current: UserSession | None) -> None:
        self.db = db
        self.passwords = passwords
        self.recent = recent
        self.current = current
        self.caller: User | None = None

    async def verify(self, password: str | None) -> None:
        """Verify the caller's password if one is given, else that the session's sign-in is recent.

        The password is ignored for callers with a second factor, since it proves only the first one.

        Raises:
            BadCurrentPassword: the password is wrong.
            ReauthenticationRequired: no password is given, or the caller has a second factor, and the sign-in is too
                old, or of level 1; or the caller was deleted.
            Busy: the queue of passwords to verify is full.

        """
        if self.current is None:
            return
        self.caller = await self.db.get(User, self.current.user_id)
        if self.caller is None:
            raise self._required()
        if password is None or self.caller.second_factors:
            proof = LastProof(self.current.authenticated_at, self.recent)
            await require_recent_proof(self.db, self.caller, self.current.aal, proof)
            return
        await self.db.release_connection()
        correct, _ = await self.passwords.verify(password, self.caller.hashed_password)
        if not correct:
            raise errors.BadCurrentPassword

    async def verify_again(self, user: User | None = None) -> None:
        """Check that the caller is unchanged since ``verify``, before an operation on ``user``, or on a new user.

        If ``user`` is the caller, the row is locked until the transaction ends, so that a password reset is not undone.
        Otherwise the operation is as good as one before the reset, and callers who lock each other could deadlock.

        Raises:
            ReauthenticationRequired: the caller's password, second factors or superuser flag were changed, or the
                session ended.

        """
        if not (self.current and self.caller):
            return
        unchanged = select(User.id, UserSession.id).where(
            col(User.id) == self.caller.id,
            col(User.hashed_password) == self.caller.hashed_password,
            col(User.second_factors) == self.caller.second_factors,
            col(User.is_superuser) == self.caller.is_superuser,
            col(UserSession.id) == self.current.id,
            col(UserSession.user_id) == col(User.id),
        )
        if user and user.id == self.caller.id:
            unchanged = unchanged.with_for_update()
        if (await self.db.exec(unchanged)).first() is None:
            raise self._required()

    async def verify_for(self, user: User, password: str | None) -> None:
        """Verify the caller as both methods do, before an operation on ``user`` that does nothing slow before it."""
        await self.verify(password)
        await self.verify_again(user)

    def _required(self) -> errors.ReauthenticationRequired:
        has_factor = self.caller is not None and bool(self.caller.second_factors)
        return errors.ReauthenticationRequired(int(self.recent.total_seconds()), 2 if has_factor else 1)
