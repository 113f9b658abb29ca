"""When users signed in last, for lists of users."""

import uuid
from collections.abc import Collection
from datetime import datetime

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement

# From small tables: a search of the audit log would pass all that happened to a user since. OFFSET 0 keeps PostgreSQL
# from looking for the last device of a user among those of all users, by the index on ``seen_at``.
SELECT_LAST = CompiledStatement("""
    SELECT listed.user_id, greatest(
        (SELECT created_at FROM user_session s WHERE s.user_id = listed.user_id ORDER BY created_at DESC LIMIT 1),
        (SELECT max(seen_at) FROM (SELECT seen_at FROM known_device d WHERE d.user_id = listed.user_id OFFSET 0) AS own)
    ) AS at
    FROM unnest(CAST(:user_ids AS uuid[])) AS listed (user_id)
""")


async def list_last_sign_ins(db: Session, user_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, datetime]:
    """Return when each of some users signed in last, in one statement. Users without a known sign-in are left out.

    It is exact while that session lasts. After that it is up to a day too early, as devices are kept (KnownDevice), and
    forgotten with the device.
    """
    rows = await SELECT_LAST.run(db, user_ids=[*user_ids])
    return {user_id: at for user_id, at in rows if at}
