"""The record of what happened to many at once: as complete as of each alone, by one statement."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

from accounts.database import Session
from accounts.domain.audit import Action, of_client
from accounts.domain.prepared import Prepared
from accounts.models.session import ADDRESS_LENGTH

RECORD_EACH = Prepared("""
    INSERT INTO audit_event (action, actor_id, group_id, address, user_id, detail)
    SELECT :action, CAST(:actor_id AS uuid), CAST(:group_id AS bigint), :address, user_id, detail
    FROM unnest(CAST(:user_ids AS uuid[]), CAST(:details AS jsonb[])) AS given (user_id, detail)
""")


async def record_each(
    session: Session, action: Action, group_id: int, about: Sequence[tuple[uuid.UUID | None, dict[str, Any]]]
) -> None:
    """Add an event for each user, or None, and detail, by one statement: what the session's actor did in a group."""
    values = {
        "action": action,
        "actor_id": session.info.get("actor_id"),
        "group_id": group_id,
        "address": of_client(session, "address", ADDRESS_LENGTH),
        "user_ids": [user_id for user_id, _ in about],
        "details": [json.dumps(detail) for _, detail in about],
    }
    await RECORD_EACH.run(session, **values)
