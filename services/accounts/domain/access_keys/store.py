"""Access keys in the database: create, find, list, rename and revoke them, for users and service accounts alike."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, bindparam, delete, func, insert, update
from sqlmodel import col, select
from uuid_utils.compat import uuid7

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain import errors
from accounts.domain.access_keys.secret import KeyKind, KeySecret, parse_key
from accounts.domain.audit.log import Action, record
from accounts.models import AccessKey, User

KEYS_PER_USER = 50  # expired ones included, until they are deleted
LAST_USED_PRECISION = timedelta(minutes=1)
# The secret is random and only its hash is compared, so the time reveals nothing of use. An unknown id and a wrong
# secret take the same statement, which returns no row.
IS_KEY = (
    col(AccessKey.id) == bindparam("key_id"),
    col(AccessKey.secret_hash) == bindparam("secret_hash"),
    col(AccessKey.expires_at) > func.now(),
    col(User.id) == col(AccessKey.user_id),
    col(User.is_active).is_(True),
)
BY_SECRET = {
    KeyKind.PERSONAL: select(User, AccessKey).where(*IS_KEY, col(User.owner_group_id).is_(None)),
    KeyKind.SERVICE: select(User, AccessKey).where(*IS_KEY, col(User.owner_group_id).is_not(None)),
}

STORE_USE = CompiledStatement("""
    UPDATE access_key SET last_used_at = now(), last_used_address = :address
    WHERE id = :id AND coalesce(last_used_at < now() - CAST(:precision AS interval), true)
""")


class AccessKeyStore:
    """Operations on the access keys of a user. Methods run in the caller's transaction."""

    def __init__(self, db: Session) -> None:
        self.db = db

    async def find(self, text: str, kind: KeyKind) -> tuple[User, AccessKey] | None:
        """Get an active user and their usable key by its text, in one statement. Text that is no such key takes none.

        The use is stored at most once a minute.
        """
        secret = parse_key(text)
        if secret is None or secret.kind is not kind:
            return None
        values = {"key_id": secret.id, "secret_hash": secret.hash}
        row = (await self.db.exec(BY_SECRET[kind], params=values)).first()
        if row:
            await self._touch(row[1])
        return row

    async def _touch(self, key: AccessKey) -> None:
        if key.last_used_at and datetime.now(UTC) - key.last_used_at < LAST_USED_PRECISION:
            return
        await STORE_USE.run(self.db, id=key.id, address=self.db.client_ip, precision=LAST_USED_PRECISION)

    async def create(
        self, user: User, kind: KeyKind, name: str, scopes: Iterable[str], lifetime: timedelta, aal: int = 1
    ) -> tuple[AccessKey, KeySecret]:
        """Create a key. Its secret is returned here and never again.

        Args:
            aal: the assurance level of the session that creates it.

        Raises:
            UserNotFound: the user has been deleted or deactivated.
            TooManyKeys: the user has as many keys as are allowed.

        """
        await self._lock(user)
        if await self.count(user) >= KEYS_PER_USER:
            raise errors.TooManyKeys
        key, secret = await self.add(user, kind, name, scopes, lifetime, aal)
        await record(self.db, Action.TOKEN_CREATED, user_id=user.id, token_id=str(key.id), scopes=key.scopes)
        return key, secret

    async def add(
        self, user: User, kind: KeyKind, name: str, scopes: Iterable[str], lifetime: timedelta, aal: int = 1
    ) -> tuple[AccessKey, KeySecret]:
        """Insert a key. The caller has locked the user, checked a limit, and records an event."""
        secret = KeySecret.create(kind, uuid7())
        created = insert(AccessKey).values(
            id=secret.id,
            user_id=user.id,
            name=name,
            secret_hash=secret.hash,
            scopes=sorted(set(scopes)),
            aal=aal,
            expires_at=func.now() + lifetime,
        )
        return (await self.db.exec(created.returning(AccessKey))).scalar_one(), secret

    async def _lock(self, user: User) -> None:
        """Lock a user, so that concurrent requests do not create more keys than allowed."""
        active = select(User.id).where(col(User.id) == user.id, col(User.is_active))
        if (await self.db.exec(active.with_for_update(key_share=True))).first() is None:
            raise errors.UserNotFound

    async def count(self, user: User) -> int:
        """Count a user's keys."""
        return (await self.db.exec(select(func.count()).where(col(AccessKey.user_id) == user.id))).one()

    async def list(self, user: User) -> Sequence[AccessKey]:
        """List a user's keys, the newest first. Expired ones are listed until they are deleted."""
        statement = select(AccessKey).where(col(AccessKey.user_id) == user.id).order_by(col(AccessKey.id).desc())
        return (await self.db.exec(statement)).all()

    async def rename(self, user: User, key_id: uuid.UUID, name: str) -> AccessKey:
        """Rename one of a user's keys.

        Raises:
            TokenNotFound: the user has no key with this id.

        """
        renamed = update(AccessKey).where(*_own(user, key_id)).values(name=name).returning(AccessKey)
        key: AccessKey | None = (await self.db.exec(renamed)).scalar_one_or_none()
        if key is None:
            raise errors.TokenNotFound
        return key

    async def revoke(self, user: User, key_id: uuid.UUID) -> str:
        """Delete one of a user's keys, which ends at its next request. Return its name.

        Raises:
            TokenNotFound: the user has no key with this id.

        """
        deleted = delete(AccessKey).where(*_own(user, key_id)).returning(col(AccessKey.name))
        name: str | None = (await self.db.exec(deleted)).scalar_one_or_none()
        if name is None:
            raise errors.TokenNotFound
        await record(self.db, Action.TOKEN_REVOKED, user_id=user.id, token_id=str(key_id))
        return name

    async def revoke_all(self, user: User) -> int:
        """Delete all keys of a user, and return how many."""
        revoked = (await self.db.exec(delete(AccessKey).where(col(AccessKey.user_id) == user.id))).rowcount
        if revoked:
            await record(self.db, Action.TOKENS_REVOKED, user_id=user.id, count=revoked)
        return revoked


def _own(user: User, key_id: uuid.UUID) -> tuple[ColumnElement[bool], ...]:
    return col(AccessKey.id) == key_id, col(AccessKey.user_id) == user.id
