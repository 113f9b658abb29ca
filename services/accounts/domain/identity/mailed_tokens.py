"""The tokens that mails carry. A token is derived from the id of its mail and a secret key; only its hash is stored.

So a mail that is sent again after a failure carries the same token.
"""

import hmac
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Interval, LargeBinary, bindparam, func, select, update
from sqlmodel import col

from accounts.db.statements import CompiledStatement, Database
from accounts.domain.opaque_tokens import hash_token
from accounts.models import OneTimeToken, PendingRegistration


def derive_token(key: str, mail_id: uuid.UUID) -> str:
    """Derive the token of a mail: 256 bits that cannot be computed without ``key``."""
    return urlsafe_b64encode(hmac.digest(key.encode(), b"mail " + mail_id.bytes, "sha256")).rstrip(b"=").decode()


def candidate_tokens(keys: Sequence[str], mail_id: uuid.UUID) -> dict[bytes, str]:
    """Return the possible tokens of a mail by hash: the key may have been rotated since the mail was enqueued."""
    return {hash_token(token): token for token in (derive_token(key, mail_id) for key in keys)}


class StoredTokens:
    """The statements that find the token of a mail in a table, and that start its lifetime."""

    def __init__(self, entity: type[OneTimeToken | PendingRegistration], *conditions: ColumnElement[bool]) -> None:
        is_one_of = col(entity.token_hash) == func.any(bindparam("hashes", type_=ARRAY(LargeBinary)))
        columns = col(entity.token_hash), col(entity.expires_at)
        expires_at = func.now() + bindparam("lifetime", type_=Interval)
        started = update(entity).where(is_one_of, *conditions).values(expires_at=expires_at)
        self._find = CompiledStatement(select(*columns).where(is_one_of, *conditions))
        self._start = CompiledStatement(started.returning(*columns))

    async def activate(
        self,
        db: Database,
        keys: Sequence[str],
        mail_id: uuid.UUID,
        lifetime: timedelta,
        *,
        start: bool = True,
        **values: Any,
    ) -> tuple[str, datetime] | None:
        """Start the lifetime of a mail's token when the mail is written; return the token and when it expires.

        Without ``start`` it is only found. Returns None if no row has it: the token was used, superseded or revoked.
        """
        tokens = candidate_tokens(keys, mail_id)
        statement = self._start if start else self._find
        for token_hash, expires_at in await statement.rows(db, hashes=list(tokens), lifetime=lifetime, **values):
            return tokens[token_hash], expires_at
        return None
