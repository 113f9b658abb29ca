"""Notices of personal access tokens that expire soon, by mail, so that programs do not stop without a warning."""

from itertools import groupby

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain.mail import outbox
from accounts.domain.mail.outbox import OutgoingMail
from accounts.models import MailKind

# Users who created a token for a few days know when it ends. Service accounts have no mailbox. Users are locked before
# their tokens, as by their deletion; those who are being deleted are left for the next run.
MARK_EXPIRING = CompiledStatement("""
    WITH expiring AS (
        SELECT access_key.id, email FROM access_key JOIN "user" ON "user".id = user_id
        WHERE "user".is_active AND "user".owner_group_id IS NULL
            AND expires_at > now() AND expires_at < now() + interval '7 days'
            AND expires_at - access_key.created_at > interval '14 days' AND expiry_noticed_at IS NULL
        FOR KEY SHARE OF "user" SKIP LOCKED
    )
    UPDATE access_key SET expiry_noticed_at = now() FROM expiring
    WHERE access_key.id = expiring.id AND expiry_noticed_at IS NULL
    RETURNING access_key.id, user_id, email, expires_at
""")


async def notify_of_expiry(db: Session) -> int:
    """Enqueue one mail for each user with tokens that expire within a week. Each token is mentioned once.

    Returns:
        The number of mails.

    """
    expiring = sorted(await MARK_EXPIRING.run(db), key=lambda row: (row.user_id, row.expires_at))
    mails = []
    for (user_id, email), rows in groupby(expiring, key=lambda row: (row.user_id, row.email)):
        first, *others = rows
        mails.append(OutgoingMail(email, user_id, detail={"key_id": str(first.id), "more": len(others)}))
    if mails:
        await outbox.enqueue(db, MailKind.TOKEN_EXPIRES, mails)
    return len(mails)
