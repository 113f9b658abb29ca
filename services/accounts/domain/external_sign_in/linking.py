"""Which user an account at a provider belongs to.

Issuer and subject identify the account. An email address links it to a user only if both sides have proven it: the
provider says that the address is verified, and the user signs in here as before. An unverified user has proven nothing,
and is claimed by the owner of the address.
"""

from sqlalchemy import update
from sqlmodel import col, func, select

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.audit.log import Action, record_failed_sign_in
from accounts.domain.external_providers.provider import ExternalUser
from accounts.domain.external_sign_in.authorization import Arrival
from accounts.domain.external_sign_in.store import add_identity, is_identity
from accounts.domain.identity.claim import claim
from accounts.domain.identity.security_notices import report_change
from accounts.domain.identity.stored_hashes import UNUSABLE
from accounts.domain.identity.user_adapter import UserAdapter
from accounts.domain.invitations.answering import accept_token, is_invited, require_invitation
from accounts.domain.people import lock_user
from accounts.models import ExternalIdentity, User
from accounts.models.identity import is_service_email
from accounts.observability import metrics
from accounts.settings import Settings, SignUp
from accounts.settings_providers import Link, ProviderSignUp

ATTEMPTS = 3  # a concurrent request may change what was read


class _Raced(Exception):  # noqa: N818  # not an error: the user is looked up again
    """What was read is no longer so."""


class AccountLinker:
    """Finds or creates the user of a sign-in with a provider. Methods run in the caller's transaction."""

    def __init__(self, db: Session, settings: Settings) -> None:
        self.db = db
        self.settings = settings

    async def find_user(self, arrival: Arrival) -> User:
        """Return the user to sign in, who is locked.

        Raises:
            OAuthNotAvailableEmail: the account is not connected, and has no usable email address.
            OAuthEmailUnverified: it is not connected, and the provider has not verified its address.
            OAuthUserAlreadyExists: it is not connected, and its address is another user's, or reserved.
            OAuthSignUpClosed: the provider's settings allow no sign-up.
            RegisterClosed: SIGN_UP is ``closed``.
            RegisterInvitationRequired: SIGN_UP is ``invited``, and the address is not.
            InvitationBadToken: the invitation is not usable.
            InvitationOtherAddress: it was sent to another address.
            LoginBadCredentials: the user is inactive. The failure is recorded.

        """
        for _ in range(ATTEMPTS):
            try:
                user = await self._known_user(arrival.external) or await self._user_by_email(arrival)
            except _Raced:
                continue
            metrics.SIGNED_IN.inc()
            return user
        raise errors.OAuthUserAlreadyExists

    async def _known_user(self, external: ExternalUser) -> User | None:
        by_account = select(User).join(ExternalIdentity, col(ExternalIdentity.user_id) == User.id)
        user = (await self.db.exec(by_account.where(*is_identity(external)))).one_or_none()
        if user is None:
            return None
        user = await self._lock(user)
        used = update(ExternalIdentity).where(*is_identity(external), col(ExternalIdentity.user_id) == user.id)
        values = {"last_used_at": func.now(), "email": external.email}
        if not (await self.db.exec(used.values(**values))).rowcount:
            raise _Raced
        return user

    async def _user_by_email(self, arrival: Arrival) -> User:
        # Before any look-up: the answer is the same whether or not a user has the address.
        email = arrival.external.email
        if email is None or is_service_email(email):
            raise errors.OAuthNotAvailableEmail
        if not arrival.external.email_verified:
            raise errors.OAuthEmailUnverified
        user = await UserAdapter(self.db).get_by_email(email)
        if user is None:
            return await self._sign_up(email, arrival)
        user = await self._lock(user)
        if user.email.lower() != email.lower():
            raise _Raced
        is_confirmed = arrival.provider.settings.link is Link.VERIFIED and not self._lacks_factor(user, arrival)
        if user.is_verified and not is_confirmed:
            raise await self._unless_raced(errors.OAuthUserAlreadyExists(), arrival.external)
        await self._connect(user, arrival)
        return user

    def _lacks_factor(self, user: User, arrival: Arrival) -> bool:
        """Return whether the sign-in still has to prove a second factor, before which nothing may be connected."""
        return bool(user.second_factors) and arrival.assurance(user).level == 1

    async def _connect(self, user: User, arrival: Arrival) -> None:
        async with self.db.begin_nested():
            if not user.is_verified:
                await claim(self.db, self.settings, user)
            if not await add_identity(self.db, user, arrival.provider.name, arrival.external):
                raise await self._unless_raced(errors.OAuthIdentityTaken(), arrival.external)
            await report_change(self.db, user, Action.IDENTITY_LINKED, name=arrival.provider.display_name)

    async def _unless_raced(self, refusal: errors.Refusal, external: ExternalUser) -> Exception:
        """Return a refusal, unless a concurrent request has connected the account meanwhile."""
        connected = select(ExternalIdentity.id).where(*is_identity(external))
        return refusal if await self.db.scalar(connected) is None else _Raced()

    async def _sign_up(self, email: str, arrival: Arrival) -> User:
        await self._require_sign_up(email, arrival)
        columns = {"email": email, "is_verified": True, "hashed_password": UNUSABLE}
        columns["display_name"] = arrival.external.name
        try:
            async with self.db.begin_nested():
                user = await UserAdapter(self.db).create(columns)
                if not await add_identity(self.db, user, arrival.provider.name, arrival.external):
                    raise _Raced
        except errors.RegisterUserAlreadyExists:
            raise _Raced from None
        return user

    async def _require_sign_up(self, email: str, arrival: Arrival) -> None:
        invitation_hash = arrival.continuation.invitation_hash
        if arrival.provider.settings.sign_up is ProviderSignUp.NO:
            raise errors.OAuthSignUpClosed
        if self.settings.sign_up is SignUp.CLOSED:
            raise errors.RegisterClosed
        if invitation_hash:
            await require_invitation(self.db, invitation_hash, email)
        elif self.settings.sign_up is SignUp.INVITED and not await is_invited(self.db, email):
            raise errors.RegisterInvitationRequired

    async def accept_invitation(self, user: User, arrival: Arrival) -> None:
        """Accept the invitation that a signed-in user has brought, if there is one.

        Raises:
            InvitationBadToken: it is not usable.
            InvitationOtherAddress: it was sent to another address or user.

        """
        if arrival.continuation.invitation_hash is not None:
            await accept_token(self.db, arrival.continuation.invitation_hash, user)

    async def _lock(self, user: User) -> User:
        try:
            return await lock_user(self.db, user)
        except errors.UserNotFound:
            metrics.INACTIVE.inc()
            await record_failed_sign_in(self.db, user.email, user if not user.is_active else None)
            raise errors.LoginBadCredentials from None
