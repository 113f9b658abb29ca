"""The memberships of deleted groups. Those of a small group go with it, by a trigger; the worker deletes all others.

Nothing reads them any more: every question about a group reads the group.
"""

import uuid

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement

BATCH_ROWS = 10_000  # of a group that was deleted with more, the worker deletes so many in one transaction
START = uuid.UUID(int=0)  # before the ids of all users
# One worker at a time has a group. Rows that others lock are skipped, and go with the key.
DELETE_BATCH = CompiledStatement("""
    WITH deleted_group AS (
        SELECT id FROM group_key WHERE deleted_at IS NOT NULL ORDER BY deleted_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
    ), batch AS (
        SELECT group_id, user_id FROM membership
        WHERE group_id = (SELECT id FROM deleted_group) AND user_id > :after
        ORDER BY user_id LIMIT :batch_rows FOR UPDATE SKIP LOCKED
    ), deleted AS (
        DELETE FROM membership USING batch
        WHERE membership.group_id = batch.group_id AND membership.user_id = batch.user_id
    )
    SELECT deleted_group.id, (SELECT user_id FROM batch ORDER BY user_id DESC LIMIT 1) FROM deleted_group
""")
DELETE_KEY = CompiledStatement("DELETE FROM group_key WHERE id = :group_id")


async def delete_batch(db: Session, after: uuid.UUID = START) -> uuid.UUID | None:
    """Delete memberships of the group that was deleted first, or its key when it has no more.

    Args:
        db: a transaction of its own.
        after: the last user of the batch before.

    Returns:
        The last user of this batch, START at the end of a group, or None if there is nothing to delete.

    """
    rows = await DELETE_BATCH.run(db, after=after, batch_rows=BATCH_ROWS)
    if not rows:
        return None
    [(group_id, last)] = rows
    if last is None:
        await DELETE_KEY.run(db, group_id=group_id)
    return last or START
