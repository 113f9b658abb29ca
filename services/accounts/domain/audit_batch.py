"""The record of what happened to many at once: as complete as of each alone, by one statement."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, String, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from accounts.database import Session
from accounts.domain.audit import Action, of_client
from accounts.models.session import ADDRESS_LENGTH

RECORD_EACH = text("""
    INSERT INTO audit_event (action, actor_id, group_id, address, user_id, detail)
    SELECT :action, :actor_id, :group_id, :address, user_id, detail
    FROM unnest(:user_ids, :details) AS given (user_id, detail)
""").bindparams(
    bindparam("action", type_=String),
    bindparam("actor_id", type_=Uuid),
    bindparam("group_id", type_=BigInteger),
    bindparam("user_ids", type_=ARRAY(Uuid)),
    bindparam("details", type_=ARRAY(JSONB)),
)


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
        "details": [detail for _, detail in about],
    }
    await (await session.connection()).execute(RECORD_EACH, values)
