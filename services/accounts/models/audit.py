"""The audit log. Events are inserted by the transaction that causes them, and never updated."""

import uuid
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, DateTime, Identity, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from accounts.models.base import Entity
from accounts.models.sessions import ADDRESS_LENGTH

ACTION_LENGTH = 50
# Most of the log is about sign-ins. What else happened has an index of its own.
IS_CHANGE = text(
    "action NOT IN ('session.started', 'session.refused', 'session.elevated', 'session.ended', 'second_factor.refused')"
)


class AuditEvent(Entity, table=True):
    """An action: ``actor_id`` performed it, ``user_id`` and ``group_id`` were affected, ``address`` is the client IP.

    There are no foreign keys, because events outlive users and groups.
    """

    __tablename__ = "audit_event"
    __table_args__: ClassVar[Any] = (
        Index(None, "actor_id", "at", "id"),
        Index(None, "user_id", "at", "id"),
        # Most events are about no group.
        Index(None, "group_id", "at", "id", postgresql_where=text("group_id IS NOT NULL")),
        Index(None, "group_id", "action", "at", "id", postgresql_where=text("group_id IS NOT NULL")),
        Index(None, "action", "at", "id"),
        Index(None, "at", "id"),
        Index("ix_audit_event_changes", "at", "id", postgresql_where=IS_CHANGE),
        {"info": {"append_only": True}},
    )

    id: int = Field(default=None, sa_type=BigInteger, primary_key=True, sa_column_args=[Identity()])
    at: datetime = Field(
        default=None, sa_type=DateTime(timezone=True), nullable=False, sa_column_kwargs={"server_default": func.now()}
    )
    action: str = Field(max_length=ACTION_LENGTH)
    actor_id: uuid.UUID | None = None
    user_id: uuid.UUID | None = None
    group_id: int | None = Field(default=None, sa_type=BigInteger)
    address: str = Field(default="", max_length=ADDRESS_LENGTH, sa_column_kwargs={"server_default": ""})
    detail: dict[str, Any] = Field(
        default_factory=dict, sa_type=JSONB, nullable=False, sa_column_kwargs={"server_default": "{}"}
    )
