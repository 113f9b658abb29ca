"""One-time tokens: for one user, purpose and email address, stored as hashes, consumed by one atomic statement."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, bindparam, delete, func, or_
from sqlmodel import col, select
from sqlmodel.sql.expression import Select
from uuid_utils.compat import uuid7

from accounts.db.session import Session
from accounts.db.statements import ASYNCHRONOUS_COMMIT, POPULATE_EXISTING, CompiledStatement, Database
from accounts.domain.identity.mailed_tokens import StoredTokens, derive_token
from accounts.domain.mail.outbox import CHANNEL, request_language
from accounts.domain.opaque_tokens import hash_token
from accounts.models import OneTimeToken, Purpose, User
from accounts.models.base import COLLATION
from accounts.models.mail import URGENT_TURN

LIFETIME = {
    Purpose.VERIFY: timedelta(hours=24),
    Purpose.RESET: timedelta(hours=1),
    Purpose.CONFIRM_EMAIL: timedelta(hours=24),
    Purpose.UNDO_EMAIL: timedelta(days=7),
}
# Locks the user, who could otherwise be deleted before the token is inserted.
ISSUE = CompiledStatement(f"""
    WITH needs AS (
        SELECT id, email FROM "user"
        WHERE lower(email) = lower(CAST(:email AS text) COLLATE "{COLLATION}")
            AND is_active AND owner_group_id IS NULL
            AND NOT (is_verified AND CAST(:purpose AS text) = '{Purpose.VERIFY}')
        FOR KEY SHARE
    ), issued AS (
        INSERT INTO one_time_token (user_id, purpose, email, token_hash, expires_at)
        SELECT id, :purpose, email, CAST(:token_hash AS bytea), now() + CAST(:lifetime AS interval) FROM needs
        ON CONFLICT (user_id, purpose) DO UPDATE
        SET email = excluded.email, token_hash = excluded.token_hash, expires_at = excluded.expires_at,
            requested_at = excluded.requested_at
    ), posted AS (
        INSERT INTO outbox (id, kind, email, user_id, turn, language)
        SELECT CAST(:mail_id AS uuid), :purpose, email, id, {URGENT_TURN}, :language FROM needs
    )
    SELECT pg_notify('{CHANNEL}', '')
""")  # noqa: S608  # only constants are interpolated
STORE = CompiledStatement("""
    INSERT INTO one_time_token (user_id, purpose, email, token_hash, expires_at)
    VALUES (:user_id, :purpose, :email, :token_hash, now() + CAST(:lifetime AS interval))
    ON CONFLICT (user_id, purpose) DO UPDATE
    SET email = excluded.email, token_hash = excluded.token_hash, expires_at = excluded.expires_at,
        requested_at = excluded.requested_at
    WHERE CAST(:supersede AS boolean) OR one_time_token.expires_at <= now()
    RETURNING user_id
""")

STORED = StoredTokens(OneTimeToken, col(OneTimeToken.purpose) == bindparam("purpose"))


async def request_token(db: Session, key: str, email: str, purpose: Purpose) -> None:
    """Send a token at the request of an anonymous caller, who cannot tell whether there is such a user.

    The commit does not wait for the disk, so its duration does not reveal whether a token was stored. A token that a
    crash loses can be requested again.
    """
    await db.exec(ASYNCHRONOUS_COMMIT)
    await send_token(db, key, email, purpose)


async def send_token(db: Session, key: str, email: str, purpose: Purpose) -> None:
    """Send a token to the active user with an email address, if there is one; to verify it, only if it is unverified.

    The token replaces an earlier one for the same purpose. One statement is run in all cases.
    """
    mail_id = uuid7()
    values = {
        "email": email,
        "purpose": purpose,
        "token_hash": hash_token(derive_token(key, mail_id)),
        "lifetime": LIFETIME[purpose],
        "mail_id": mail_id,
        "language": request_language(db),
    }
    await ISSUE.run(db, **values)


async def store_token(
    db: Session, key: str, mail_id: uuid.UUID, user: User, purpose: Purpose, email: str, *, supersede: bool = True
) -> bool:
    """Store the token of a mail to ``email``, and return whether it is usable.

    Without ``supersede``, an unexpired token for the same purpose stays, and the new one is not stored.
    """
    values = {
        "user_id": user.id,
        "purpose": purpose,
        "email": email,
        "token_hash": hash_token(derive_token(key, mail_id)),
        "lifetime": LIFETIME[purpose],
        "supersede": supersede,
    }
    return bool(await STORE.run(db, **values))


async def activate_token(
    db: Database,
    keys: Sequence[str],
    mail_id: uuid.UUID,
    purpose: Purpose,
    lifetime: timedelta | None = None,
    *,
    start: bool = True,
) -> tuple[str, datetime] | None:
    """Start the lifetime of a mail's token, by default that of its purpose; see ``StoredTokens``."""
    lifetime = lifetime or LIFETIME[purpose]
    return await STORED.activate(db, keys, mail_id, lifetime, start=start, purpose=purpose)


async def find_token(db: Session, token: str, purpose: Purpose) -> tuple[User, str] | None:
    """Return the active user of a usable token, and the email address that it was sent to. It stays usable."""
    return (await db.exec(_select_holder(token, purpose))).one_or_none()


async def consume_token(db: Session, token: str, purpose: Purpose) -> tuple[User, str] | None:
    """Delete a usable token and return what ``find_token`` does. Of concurrent callers, all but one get None.

    The user is locked before the token, as by a deletion of the user, which would otherwise deadlock with it.
    """
    locked = _select_holder(token, purpose).with_for_update(of=User, key_share=True)
    holder = (await db.exec(locked, execution_options=POPULATE_EXISTING)).one_or_none()
    statement = delete(OneTimeToken).where(col(OneTimeToken.token_hash) == hash_token(token))
    deleted = (await db.exec(statement.returning(col(OneTimeToken.user_id)))).all() if holder else ()
    return holder if deleted else None


async def revoke_tokens(db: Session, user: User) -> None:
    """Delete a user's tokens after a change of the password or the email address.

    The one that undoes a change of the address stays: an attacker would change both first.
    """
    conditions = (col(OneTimeToken.user_id) == user.id, col(OneTimeToken.purpose) != Purpose.UNDO_EMAIL)
    await db.exec(delete(OneTimeToken).where(*conditions))


def _select_holder(token: str, purpose: Purpose) -> Select[User, str]:
    statement = select(User, OneTimeToken.email).join(OneTimeToken, col(OneTimeToken.user_id) == User.id)
    return statement.where(*_usable(token, purpose))


def _usable(token: str, purpose: Purpose) -> tuple[ColumnElement[bool], ...]:
    return (
        col(OneTimeToken.token_hash) == hash_token(token),
        col(OneTimeToken.purpose) == purpose,
        col(OneTimeToken.expires_at) > func.now(),
        # A token that changes the address was sent to an address other than the user's.
        or_(
            col(OneTimeToken.email) == User.email,
            col(OneTimeToken.purpose).in_([Purpose.CONFIRM_EMAIL, Purpose.UNDO_EMAIL]),
        ),
        col(User.is_active).is_(True),
    )
