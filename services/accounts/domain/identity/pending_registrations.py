"""Registrations that wait for the owner of the mailbox.

No user exists until the token in the mail is used. So nothing that the caller can reach differs between a free and a
taken email address, and no password or name that someone else chose is ever stored.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func
from sqlmodel import col, select
from uuid_utils.compat import uuid7

from accounts.db.session import Session
from accounts.db.statements import ASYNCHRONOUS_COMMIT, CompiledStatement, Database
from accounts.domain.identity.mailed_tokens import StoredTokens, derive_token
from accounts.domain.mail.outbox import CHANNEL, EMAIL_HOLDERS, request_language
from accounts.domain.opaque_tokens import hash_token
from accounts.models import MailKind, PendingRegistration
from accounts.models.mail import NOTICE_TURN, URGENT_TURN

LIFETIME = timedelta(hours=24)
# An address whose change can still be undone is taken, too: see ``reserved_emails``.
REQUEST = CompiledStatement(f"""
    WITH {EMAIL_HOLDERS}, pending AS (
        INSERT INTO pending_registration (email, token_hash, expires_at)
        SELECT :email, CAST(:token_hash AS bytea), now() + CAST(:lifetime AS interval)
        WHERE NOT EXISTS (SELECT FROM holder)
        ON CONFLICT (lower(email)) DO UPDATE
        SET email = excluded.email, token_hash = excluded.token_hash, expires_at = excluded.expires_at
        RETURNING email
    ), enqueued AS (
        INSERT INTO outbox (id, kind, email, user_id, turn, language, detail)
        SELECT CAST(:mail_id AS uuid), '{MailKind.SIGN_UP}', email, CAST(NULL AS uuid), {URGENT_TURN}, :language,
            jsonb_build_object() FROM pending
        UNION ALL
        SELECT CAST(:mail_id AS uuid), '{MailKind.ACCOUNT_EXISTS}', email, id, {NOTICE_TURN}, :language,
            jsonb_build_object('previous', previous)
        FROM (SELECT * FROM holder ORDER BY previous LIMIT 1) AS first WHERE is_active
    )
    SELECT pg_notify('{CHANNEL}', '')
""")  # noqa: S608  # only constants are interpolated

STORED = StoredTokens(PendingRegistration)


async def request(db: Session, key: str, email: str) -> None:
    """Mail a token that completes a registration; if the email address is taken or reserved, notify its owner instead.

    One statement is run in all cases, and the commit does not wait for the disk. A newer registration of the same
    address replaces an earlier one.
    """
    mail_id = uuid7()
    await db.exec(ASYNCHRONOUS_COMMIT)
    await REQUEST.run(
        db,
        email=email,
        token_hash=hash_token(derive_token(key, mail_id)),
        lifetime=LIFETIME,
        mail_id=mail_id,
        language=request_language(db),
    )


async def activate(
    db: Database, keys: Sequence[str], mail_id: uuid.UUID, *, start: bool = True
) -> tuple[str, datetime] | None:
    """Start the lifetime of a mail's token; see ``StoredTokens``."""
    return await STORED.activate(db, keys, mail_id, LIFETIME, start=start)


async def find(db: Session, token: str) -> PendingRegistration | None:
    """Return the registration of a usable token. It stays usable."""
    statement = select(PendingRegistration).where(
        col(PendingRegistration.token_hash) == hash_token(token), col(PendingRegistration.expires_at) > func.now()
    )
    return (await db.exec(statement)).one_or_none()


async def consume(db: Session, pending: PendingRegistration) -> bool:
    """Delete a registration. Of concurrent callers, only one gets True."""
    statement = delete(PendingRegistration).where(col(PendingRegistration.token_hash) == pending.token_hash)
    return bool((await db.exec(statement)).rowcount)
