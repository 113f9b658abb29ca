"""Client secrets of service accounts: create, list and revoke. Several at a time, so that they can be rotated."""

import uuid
from collections.abc import Sequence
from datetime import timedelta

from sqlmodel import col, delete, func, select

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.access_keys.secret import KeyKind, KeySecret
from accounts.domain.access_keys.store import AccessKeyStore
from accounts.domain.audit.log import Action, record
from accounts.domain.groups.access import get_access
from accounts.domain.groups.owned_accounts import MANAGE, lock_account
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.reauthentication import Reauthentication
from accounts.models import AccessKey, SessionKind, User, UserSession
from accounts.schemas.service_accounts import SecretCreate
from accounts.settings import Settings

SECRETS_PER_ACCOUNT = 5


class SecretManager:
    """Operations on the secrets of a service account. Methods run in the caller's transaction.

    Every method raises GroupNotFound or GroupForbidden if the actor lacks the permission, and ServiceAccountNotFound.
    Those that change something raise UserNotFound if the actor was deleted or deactivated meanwhile.
    """

    def __init__(self, db: Session, passwords: PasswordHasher, settings: Settings) -> None:
        self.db = db
        self.passwords = passwords
        self.recent = timedelta(seconds=settings.recent_seconds)

    async def create(
        self, group_id: int, account_id: uuid.UUID, create: SecretCreate, actor: User, current: UserSession
    ) -> tuple[AccessKey, KeySecret]:
        """Create a secret. Its text is returned here and never again.

        The actor, whose session is ``current``, reauthenticates; see ``reauthentication`` for what it raises.

        Raises:
            TooManySecrets: the account has as many as are allowed.

        """
        caller = Reauthentication(self.db, self.passwords, self.recent, current)
        await caller.verify(create.current_password)
        account = await lock_account(self.db, group_id, account_id, actor)
        await caller.verify_again()
        usable = (col(AccessKey.user_id) == account_id, col(AccessKey.expires_at) > func.now())
        if (await self.db.exec(select(func.count()).where(*usable))).one() >= SECRETS_PER_ACCOUNT:
            raise errors.TooManySecrets
        lifetime = timedelta(days=create.expires_in_days)
        key, secret = await AccessKeyStore(self.db).add(
            account, KeyKind.SERVICE, create.name, create.scopes, lifetime, current.aal
        )
        detail = {"secret_id": str(key.id), "scopes": key.scopes}
        await record(self.db, Action.SECRET_CREATED, user_id=account.id, group_id=group_id, **detail)
        return key, secret

    async def list(self, group_id: int, account_id: uuid.UUID, actor: User) -> Sequence[AccessKey]:
        """List the secrets of a service account, the oldest first. Expired ones are listed until they are deleted."""
        await get_access(self.db, group_id, actor, MANAGE)
        account = await self.db.get(User, account_id)
        if account is None or account.owner_group_id != group_id:
            raise errors.ServiceAccountNotFound
        statement = select(AccessKey).where(col(AccessKey.user_id) == account_id).order_by(col(AccessKey.id))
        return (await self.db.exec(statement)).all()

    async def revoke(self, group_id: int, account_id: uuid.UUID, secret_id: uuid.UUID, actor: User) -> None:
        """Delete a secret, and end the access tokens that were issued for it.

        Raises:
            SecretNotFound: the service account has no such secret.

        """
        account = await lock_account(self.db, group_id, account_id, actor)
        secret = (col(AccessKey.id) == secret_id, col(AccessKey.user_id) == account_id)
        deleted = await self.db.exec(delete(AccessKey).where(*secret).returning(col(AccessKey.secret_hash)))
        secret_hash = deleted.scalars().one_or_none()
        if secret_hash is None:
            raise errors.SecretNotFound
        of_secret = (col(UserSession.token_hash) == secret_hash, col(UserSession.kind) == SessionKind.SERVICE)
        await self.db.exec(delete(UserSession).where(col(UserSession.user_id) == account_id, *of_secret))
        detail = {"secret_id": str(secret_id)}
        await record(self.db, Action.SECRET_REVOKED, user_id=account.id, group_id=group_id, **detail)
