"""Personal access tokens: a user's keys for programs. Only a person who reauthenticates can create one."""

from datetime import timedelta

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.access_keys.secret import KeyKind, KeySecret
from accounts.domain.access_keys.store import AccessKeyStore
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.reauthentication import Reauthentication
from accounts.domain.mail import outbox
from accounts.domain.people import has_superuser_rights
from accounts.models import AccessKey, MailKind, Scope, User, UserSession
from accounts.schemas.access_keys import PersonalAccessTokenCreate
from accounts.settings import Settings

SUPERUSER_SCOPES = {Scope.USERS_READ}


class PersonalTokenManager:
    """Creates personal access tokens, in the caller's transaction. ``keys`` lists, renames and revokes them."""

    def __init__(self, db: Session, passwords: PasswordHasher, settings: Settings) -> None:
        self.db = db
        self.passwords = passwords
        self.recent = timedelta(seconds=settings.recent_seconds)
        self.keys = AccessKeyStore(db)

    async def create(
        self, user: User, token_create: PersonalAccessTokenCreate, current: UserSession
    ) -> tuple[AccessKey, KeySecret]:
        """Create a token, and notify the user by mail. Its secret is returned here and never again.

        Raises:
            BadCurrentPassword: the password is wrong.
            ReauthenticationRequired: no password is given, and the sign-in is too old.
            Busy: the queue of passwords to verify is full.
            ScopeRequiresSuperuser: a scope is for superusers only.
            AssuranceRequired: the same, and the superuser's session is of too low a level.
            TooManyKeys: the user has as many keys as are allowed.
            UserNotFound: the user was deleted or deactivated concurrently.

        """
        caller = Reauthentication(self.db, self.passwords, self.recent, current)
        await caller.verify_for(user, token_create.current_password)
        if SUPERUSER_SCOPES.intersection(token_create.scopes) and not has_superuser_rights(self.db, user):
            raise errors.AssuranceRequired if user.is_superuser else errors.ScopeRequiresSuperuser
        lifetime = timedelta(days=token_create.expires_in_days)
        key, secret = await self.keys.create(
            user, KeyKind.PERSONAL, token_create.name, token_create.scopes, lifetime, current.aal
        )
        detail = {"key_name": key.name, "address": self.db.client_ip}
        await outbox.enqueue_notice(self.db, MailKind.TOKEN_CREATED, user, **detail)
        return key, secret
