"""One-time tokens: made for one user, purpose and address; stored as hashes; used up by one atomic statement.

A token follows from the id of the mail that brings it and from a key of the settings. So it stands nowhere, and a mail
that has to be written again, since nobody knows whether it has arrived, is the same mail.
"""

import hashlib
import hmac
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    delete,
    func,
    or_,
    update,
)
from sqlmodel import col, select
from uuid_utils.compat import uuid7

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain.mail.outbox import CHANNEL, request_language
from accounts.models import OneTimeToken, Purpose, User
from accounts.models.identity import COLLATION

LIFETIME = {
    Purpose.VERIFY: timedelta(hours=24),
    Purpose.RESET: timedelta(hours=1),
    Purpose.CONFIRM_EMAIL: timedelta(hours=24),
    Purpose.UNDO_EMAIL: timedelta(days=7),
}
ASYNCHRONOUS_COMMIT = select(func.set_config("synchronous_commit", "off", True))
# The user is locked, so as not to be deleted before the token is there.
ISSUE = CompiledStatement(f"""
    WITH needs AS (
        SELECT id, email FROM "user"
        WHERE lower(email) = lower(CAST(:email AS text) COLLATE "{COLLATION}")
            AND is_active AND NOT (is_verified AND CAST(:purpose AS text) = '{Purpose.VERIFY}')
        FOR KEY SHARE
    ), issued AS (
        INSERT INTO one_time_token (user_id, purpose, email, token_hash, expires_at)
        SELECT id, :purpose, email, CAST(:token_hash AS bytea), now() + CAST(:lifetime AS interval) FROM needs
        ON CONFLICT (user_id, purpose) DO UPDATE
        SET email = excluded.email, token_hash = excluded.token_hash, expires_at = excluded.expires_at
    ), posted AS (
        INSERT INTO outbox (id, kind, email, user_id, language)
        SELECT CAST(:mail_id AS uuid), :purpose, email, id, :language FROM needs
    )
    SELECT pg_notify('{CHANNEL}', '')
""")  # noqa: S608  # of constants
STORE = CompiledStatement("""
    INSERT INTO one_time_token (user_id, purpose, email, token_hash, expires_at)
    VALUES (:user_id, :purpose, :email, :token_hash, now() + CAST(:lifetime AS interval))
    ON CONFLICT (user_id, purpose) DO UPDATE
    SET email = excluded.email, token_hash = excluded.token_hash, expires_at = excluded.expires_at
    WHERE CAST(:supersede AS boolean) OR one_time_token.expires_at <= now()
    RETURNING user_id
""")


def derive_token(key: str, mail_id: uuid.UUID) -> str:
    """Tell the token that a mail brings: 256 bits, which only the holder of ``key`` can tell."""
    return urlsafe_b64encode(hmac.digest(key.encode(), b"mail " + mail_id.bytes, "sha256")).rstrip(b"=").decode()


def hash_token(token: str) -> bytes:
    """What is stored of a token. 256 random bits need neither salt nor a slow hash."""
    return hashlib.sha256(token.encode()).digest()


async def send_token(db: Session, key: str, email: str, purpose: Purpose) -> None:
    """Post a token to the user with an address, unless there is none who needs one for the purpose.

    The token that the user had for the same purpose is dead from now on. Whoever asks cannot tell by the time whether
    there is such a user: it is one statement in any case.
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
    """Store the token that a mail will bring to ``email``; say whether it is good.

    It is not where the user has another one for the same purpose that it does not ``supersede``.
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


def candidate_tokens(keys: Sequence[str], mail_id: uuid.UUID) -> dict[bytes, str]:
    """Give the tokens that a mail may bring, by their hashes: a newer key may have come since it was posted."""
    made = [derive_token(key, mail_id) for key in keys]
    return {hash_token(token): token for token in made}


async def activate_token(
    db: Session, keys: Sequence[str], mail_id: uuid.UUID, purpose: Purpose
) -> tuple[str, datetime] | None:
    """Begin the lifetime of the token that a mail brings, when it is written, and tell it with its end.

    None if it was used, superseded or revoked.
    """
    made = candidate_tokens(keys, mail_id)
    its = (col(OneTimeToken.token_hash).in_(made), col(OneTimeToken.purpose) == purpose)
    statement: Any = update(OneTimeToken).where(*its).values(expires_at=func.now() + LIFETIME[purpose])
    found = await db.exec(statement.returning(col(OneTimeToken.token_hash), col(OneTimeToken.expires_at)))
    row = found.one_or_none()
    return (made[row[0]], row[1]) if row else None


async def find_token(db: Session, token: str, purpose: Purpose) -> tuple[User, str] | None:
    """Find the active user whom a usable token stands for, with the address that it was made for; leave it usable."""
    statement = select(User, OneTimeToken.email).join(OneTimeToken, col(OneTimeToken.user_id) == User.id)
    return (await db.exec(statement.where(*_usable(token, purpose)))).one_or_none()


async def consume_token(db: Session, token: str, purpose: Purpose) -> tuple[User, str] | None:
    """Use a token up and return what ``holder`` does. Of several callers at once, one gets it and the others None."""
    found = await find_token(db, token, purpose)
    statement = delete(OneTimeToken).where(col(OneTimeToken.token_hash) == hash_token(token))
    used = (await db.exec(statement.returning(col(OneTimeToken.user_id)))).all() if found else ()
    return found if used else None


async def revoke_tokens(db: Session, user: User) -> None:
    """Kill all tokens of a user, because the password or the address that they rest on has changed.

    But for the one that gets an address back: whoever took the account over would begin with a change of these.
    """
    theirs = (col(OneTimeToken.user_id) == user.id, col(OneTimeToken.purpose) != Purpose.UNDO_EMAIL)
    await db.exec(delete(OneTimeToken).where(*theirs))


def _usable(token: str, purpose: Purpose) -> tuple[ColumnElement[bool], ...]:
    return (
        col(OneTimeToken.token_hash) == hash_token(token),
        col(OneTimeToken.purpose) == purpose,
        col(OneTimeToken.expires_at) > func.now(),
        # What changes an address is made for another one than the user has.
        or_(
            col(OneTimeToken.email) == User.email,
            col(OneTimeToken.purpose).in_([Purpose.CONFIRM_EMAIL, Purpose.UNDO_EMAIL]),
        ),
        col(User.is_active).is_(True),
    )
