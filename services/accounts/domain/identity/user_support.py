"""What superusers do for one user: require a new password, mail links, and end single sessions and access keys."""

import uuid
from datetime import timedelta
from typing import Literal

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.access_keys.store import AccessKeyStore
from accounts.domain.audit.log import Action, record
from accounts.domain.identity import one_time_tokens
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.reauthentication import Reauthentication
from accounts.domain.identity.stored_hashes import UNUSABLE
from accounts.domain.identity.user_adapter import UserAdapter
from accounts.domain.mail import outbox
from accounts.domain.mail.outbox import OutgoingMail
from accounts.domain.people import lock_user, require_person
from accounts.domain.sessions.sessions import SessionManager
from accounts.models import MailKind, Purpose, User, UserSession
from accounts.settings import Settings

Link = Literal[Purpose.VERIFY, Purpose.RESET]


class UserSupportManager:
    """Operations of superusers on one user, in the caller's transaction.

    ``current`` is the superuser's session. Methods that take it raise BadCurrentPassword, ReauthenticationRequired and
    Busy; see ``reauthentication``.
    """

    def __init__(self, db: Session, passwords: PasswordHasher, settings: Settings) -> None:
        self.db = db
        self.passwords = passwords
        self.key = settings.secret_keys[0]
        self.recent = timedelta(seconds=settings.recent_seconds)
        self.sessions = SessionManager(db, settings)
        self.keys = AccessKeyStore(db)

    async def require_new_password(
        self, user: User, current: UserSession | None = None, current_password: str | None = None
    ) -> None:
        """Remove a user's password, end all sessions, access keys and mailed tokens, and mail a link to choose one.

        An inactive user gets no mail. Other ways to sign in, such as passkeys, stay.

        Raises:
            NotForServiceAccounts: the user is one.
            UserNotFound: the user was deleted concurrently.

        """
        require_person(user)
        await self._reauthenticate(user, current, current_password)
        user = await lock_user(self.db, user, or_inactive=True)
        await UserAdapter(self.db).update(user, {"hashed_password": UNUSABLE})
        await record(self.db, Action.PASSWORD_REQUIRED, user_id=user.id)
        await one_time_tokens.revoke_tokens(self.db, user)
        await self.sessions.revoke_all(user)
        await self.keys.revoke_all(user)
        if user.is_active:
            mail = OutgoingMail(user.email, user.id, detail={"password_required": True})
            await one_time_tokens.store_token(self.db, self.key, mail.id, user, Purpose.RESET, user.email)
            await outbox.enqueue(self.db, MailKind.RESET, [mail])

    async def send_link(self, user: User, purpose: Link) -> None:
        """Mail a link that verifies the user's email address, or resets the password.

        Raises:
            NotForServiceAccounts: the user is one.
            UserInactive: the user is inactive.
            VerifyUserAlreadyVerified: there is nothing to verify.

        """
        require_person(user)
        if not user.is_active:
            raise errors.UserInactive
        if purpose is Purpose.VERIFY and user.is_verified:
            raise errors.VerifyUserAlreadyVerified
        await one_time_tokens.send_token(self.db, self.key, user.email, purpose)
        await record(self.db, Action.LINK_SENT, user_id=user.id, purpose=purpose)

    async def end_session(
        self, user: User, session_id: uuid.UUID, current: UserSession, current_password: str | None = None
    ) -> None:
        """End one of a user's sessions.

        Raises:
            SessionNotFound: the user has no session with this id.

        """
        await self._reauthenticate(user, current, current_password)
        await self.sessions.revoke(user, session_id)

    async def revoke_key(
        self, user: User, key_id: uuid.UUID, current: UserSession, current_password: str | None = None
    ) -> None:
        """Revoke one of a user's access keys.

        Raises:
            TokenNotFound: the user has no key with this id.

        """
        await self._reauthenticate(user, current, current_password)
        await self.keys.revoke(user, key_id)

    async def _reauthenticate(self, user: User, current: UserSession | None, password: str | None) -> None:
        await Reauthentication(self.db, self.passwords, self.recent, current).verify_for(user, password)
