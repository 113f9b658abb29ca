"""The tokens that mails carry. A token is derived from the id of its mail and a secret key; only its hash is stored.

So a mail that is sent again after a failure carries the same token.
"""

import hmac
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, update
from sqlmodel import col

from accounts.db.session import Session
from accounts.domain.opaque_tokens import hash_token
from accounts.models import OneTimeToken, PendingRegistration


def derive_token(key: str, mail_id: uuid.UUID) -> str:
    """Derive the token of a mail: 256 bits that cannot be computed without ``key``."""
    return urlsafe_b64encode(hmac.digest(key.encode(), b"mail " + mail_id.bytes, "sha256")).rstrip(b"=").decode()


def candidate_tokens(keys: Sequence[str], mail_id: uuid.UUID) -> dict[bytes, str]:
    """Return the possible tokens of a mail by hash: the key may have been rotated since the mail was enqueued."""
    return {hash_token(token): token for token in (derive_token(key, mail_id) for key in keys)}


async def start_lifetime(
    db: Session,
    entity: type[OneTimeToken | PendingRegistration],
    keys: Sequence[str],
    mail_id: uuid.UUID,
    lifetime: timedelta,
    *conditions: ColumnElement[bool],
) -> tuple[str, datetime] | None:
    """Start the lifetime of a mail's token when the mail is written; return the token and when it expires.

    Returns None if no row of ``entity`` has it: the token was used, superseded or revoked.
    """
    tokens = candidate_tokens(keys, mail_id)
    statement: Any = update(entity).where(col(entity.token_hash).in_(tokens), *conditions)
    statement = statement.values(expires_at=func.now() + lifetime)
    rows = await db.exec(statement.returning(col(entity.token_hash), col(entity.expires_at)))
    row = rows.one_or_none()
    return (tokens[row[0]], row[1]) if row else None
