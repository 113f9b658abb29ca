"""Mail with which users who were created without a password choose one.

The users did not ask for it, so its token works for days, as that of an invitation. That of imports waits for all other
mail.
"""

from collections.abc import Sequence
from datetime import timedelta

from uuid_utils.compat import uuid7

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain.identity import one_time_tokens
from accounts.domain.identity.mailed_tokens import derive_token
from accounts.domain.mail import outbox
from accounts.domain.mail.outbox import CHANNEL, OutgoingMail, request_language
from accounts.domain.opaque_tokens import hash_token
from accounts.models import MailKind, Purpose, User
from accounts.models.mail import LAST_TURN

LIFETIME = timedelta(days=7)  # from when the mail is written
ENQUEUE = CompiledStatement(f"""
    WITH given AS (
        SELECT * FROM unnest(
            CAST(:user_ids AS uuid[]), CAST(:emails AS text[]), CAST(:mail_ids AS uuid[]), CAST(:hashes AS bytea[])
        ) AS given (user_id, email, mail_id, token_hash)
    ), issued AS (
        INSERT INTO one_time_token (user_id, purpose, email, token_hash, expires_at)
        SELECT user_id, '{Purpose.RESET}', email, token_hash, now() + CAST(:lifetime AS interval) FROM given
    ), enqueued AS (
        INSERT INTO outbox (id, kind, email, user_id, turn, language, detail)
        SELECT mail_id, '{MailKind.RESET}', email, user_id, {LAST_TURN}, :language, '{{"first_password": true}}'
        FROM given
    )
    SELECT pg_notify('{CHANNEL}', '')
""")  # noqa: S608  # only constants are interpolated


async def send_first_password(db: Session, key: str, user: User) -> None:
    """Send a token that sets the password to a user who was created in this transaction, ahead of that of imports."""
    mail = OutgoingMail(user.email, user.id, detail={"first_password": True})
    await one_time_tokens.store_token(db, key, mail.id, user, Purpose.RESET, user.email)
    await outbox.enqueue(db, MailKind.RESET, [mail])


async def enqueue_first_passwords(db: Session, key: str, user_ids: Sequence[str], emails: Sequence[str]) -> None:
    """Send a token that sets the password to users who were imported in this transaction, by one statement."""
    mail_ids = [uuid7() for _ in user_ids]
    values = {
        "user_ids": user_ids,
        "emails": emails,
        "mail_ids": mail_ids,
        "hashes": [hash_token(derive_token(key, mail_id)) for mail_id in mail_ids],
        "lifetime": one_time_tokens.LIFETIME[Purpose.RESET],  # begins again when the mail is written
        "language": request_language(db),
    }
    await ENQUEUE.run(db, **values)
