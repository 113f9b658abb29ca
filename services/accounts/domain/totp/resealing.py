"""Seals the secrets of authenticator apps with the key that signs now, so that older keys can be dropped."""

import uuid
from dataclasses import dataclass

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain.sealing import CannotUnseal, key_id, seal, unseal
from accounts.domain.totp.codes import PURPOSE
from accounts.settings import Settings

BATCH = 500

# Locked rows are in use, or another process seals them: they are left for the next run.
SELECT_BATCH = CompiledStatement("""
    SELECT user_id, secret_sealed FROM totp
    WHERE user_id > :after AND substring(secret_sealed FROM 1 FOR length(CAST(:newest AS bytea))) <> :newest
    ORDER BY user_id LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED
""")
UPDATE = CompiledStatement("""
    UPDATE totp SET secret_sealed = sealed
    FROM unnest(CAST(:user_ids AS uuid[]), CAST(:values AS bytea[])) AS resealed (id, sealed) WHERE user_id = id
""")


@dataclass(slots=True)
class Resealed:
    """How many secrets were sealed again, and how many cannot be: SECRET_KEY does not have their key."""

    done: int = 0
    unreadable: int = 0


async def reseal_all(db: Session, settings: Settings) -> Resealed:
    """Seal all secrets that another key has sealed, in batches, each committed when it is done."""
    newest, after, total = key_id(settings.secret_keys[0]), uuid.UUID(int=0), Resealed()
    while rows := await SELECT_BATCH.run(db, after=after, newest=newest, batch=BATCH):
        resealed = {row.user_id: sealed for row in rows if (sealed := _seal_again(settings, *row))}
        await UPDATE.run(db, user_ids=[*resealed], values=[*resealed.values()])
        await db.release_connection()  # no user waits longer than for one batch
        total.done += len(resealed)
        total.unreadable += len(rows) - len(resealed)
        after = rows[-1].user_id
    return total


def _seal_again(settings: Settings, user_id: uuid.UUID, sealed: bytes) -> bytes | None:
    keys = settings.secret_keys
    try:
        return seal(keys[0], PURPOSE, user_id, unseal(keys, PURPOSE, user_id, sealed))
    except CannotUnseal:
        return None
