"""The accounts at providers that a user has connected: list, connect and disconnect them."""

import uuid
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete
from sqlmodel import col, select

from accounts.db.session import Session
from accounts.db.statements import POPULATE_EXISTING
from accounts.domain import errors
from accounts.domain.audit.log import Action
from accounts.domain.external_providers.provider import ExternalUser
from accounts.domain.external_sign_in.authorization import Arrival
from accounts.domain.external_sign_in.store import add_identity, is_identity
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.reauthentication import Reauthentication
from accounts.domain.identity.security_notices import report_change
from accounts.domain.people import lock_user
from accounts.domain.sessions.assurance import Assurance, assurance_of
from accounts.domain.sessions.live_sessions import live_conditions
from accounts.domain.sessions.sessions import SessionManager
from accounts.domain.ways_in import require_other_way_in
from accounts.models import AuthorizationPurpose, ExternalIdentity, User, UserSession
from accounts.settings import Settings


class ExternalIdentityManager:
    """Operations on a user's external identities. Methods run in the caller's transaction."""

    def __init__(self, db: Session, passwords: PasswordHasher, settings: Settings) -> None:
        self.db = db
        self.passwords = passwords
        self.recent = timedelta(seconds=settings.recent_seconds)
        self.sessions = SessionManager(db, settings)

    async def list(self, user: User) -> Sequence[ExternalIdentity]:
        """List the user's identities, the oldest first."""
        statement = select(ExternalIdentity).where(col(ExternalIdentity.user_id) == user.id)
        return (await self.db.exec(statement.order_by(col(ExternalIdentity.id)))).all()

    async def disconnect(self, user: User, identity_id: uuid.UUID, current: UserSession, password: str | None) -> None:
        """Delete one of the user's identities, and end the user's other sessions, which it may have started.

        Raises:
            IdentityNotFound: the user has no such identity.
            LastWayIn: the user could no longer sign in.
            BadCurrentPassword, ReauthenticationRequired, Busy: see ``Reauthentication``.
            UserNotFound: the user was deleted or deactivated meanwhile.

        """
        await self._reauthentication(current).verify_for(user, password)
        deleted = delete(ExternalIdentity).where(
            col(ExternalIdentity.id) == identity_id, col(ExternalIdentity.user_id) == user.id
        )
        provider = (await self.db.exec(deleted.returning(col(ExternalIdentity.provider)))).scalar_one_or_none()
        if provider is None:
            raise errors.IdentityNotFound
        await require_other_way_in(self.db, user, identity_id)
        await self.sessions.revoke_all(user, keep=current)
        await report_change(self.db, user, Action.IDENTITY_UNLINKED, name=provider)

    async def require_connectable(self, user: User, current: UserSession) -> None:
        """Check that the user of a session may connect an account.

        Without a verified email address, someone else's may stand there: when the owner takes the account over by a
        reset of the password, the connected account would still open it.

        Raises:
            VerifiedEmailRequired: the email address is not verified.
            ReauthenticationRequired: the sign-in is too old.

        """
        if not user.is_verified:
            raise errors.VerifiedEmailRequired
        await self._reauthentication(current).verify(None)

    async def arrive(self, arrival: Arrival) -> None:
        """Connect the account that a provider has proven, or prove the presence of the session's user by it.

        Raises:
            OAuthInvalidState: the session has ended.
            OAuthIdentityTaken: another user has the account, or the user another one of the provider.
            VerifiedEmailRequired: the email address is no longer verified.
            ReauthenticationRequired: the account is not the user's, or the user has a second factor.
            UserNotFound, SessionNotFound: both were deleted at this moment.

        """
        live = select(User, UserSession).where(
            col(UserSession.id) == arrival.continuation.session_id, *live_conditions(self.sessions.idle)
        )
        user, session = (await self.db.exec(live)).one_or_none() or (None, None)
        if user is None or session is None:
            raise errors.OAuthInvalidState
        user = await lock_user(self.db, user)
        # The holder of the lock may have ended the session, for example by undoing a change of the email address.
        if (await self.db.exec(live, execution_options=POPULATE_EXISTING)).one_or_none() is None:
            raise errors.OAuthInvalidState
        if arrival.continuation.purpose is AuthorizationPurpose.LINK:
            await self._connect(user, arrival)
        else:
            await self._elevate(user, session, arrival)

    async def _connect(self, user: User, arrival: Arrival) -> None:
        if not user.is_verified:
            raise errors.VerifiedEmailRequired
        if await add_identity(self.db, user, arrival.provider.name, arrival.external):
            await report_change(self.db, user, Action.IDENTITY_LINKED, name=arrival.provider.display_name)
        elif not await self._has(user, arrival.external):
            raise errors.OAuthIdentityTaken

    async def _elevate(self, user: User, session: UserSession, arrival: Arrival) -> None:
        before, now = assurance_of(session), arrival.assurance(user)
        too_weak = user.second_factors and now.level == 1
        if too_weak or not await self._has(user, arrival.external):
            raise errors.ReauthenticationRequired(int(self.recent.total_seconds()), 2 if user.second_factors else 1)
        methods = tuple(dict.fromkeys((*before.methods, *now.methods)))
        await self.sessions.elevate(session, Assurance(methods, max(before.level, now.level)))

    async def _has(self, user: User, external: ExternalUser) -> bool:
        own = select(ExternalIdentity.id).where(col(ExternalIdentity.user_id) == user.id, *is_identity(external))
        return await self.db.scalar(own) is not None

    def _reauthentication(self, current: UserSession) -> Reauthentication:
        return Reauthentication(self.db, self.passwords, self.recent, current)
