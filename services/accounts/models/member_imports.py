"""Imports of members that the worker runs: the rows of the file until they end, then how they ended."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Identity, Index, String, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from accounts.models.base import Entity, one_of

CODE_LENGTH = 40


class ImportStatus(StrEnum):
    """Where an import is. It ends as one of the last three."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class MemberImport(Entity, table=True):
    """An import of members into a group, by ``actor_id``. A group has at most one that has not ended.

    ``rows`` is the file, as ``domain.member_imports.packing`` writes it, and ``request`` what is known of the request;
    both are deleted when it ends. ``done`` of ``total`` rows were done at ``progressed_at``. ``counts`` has the numbers
    of the result. ``error`` is the code of a refusal, and ``retry_at`` when a limit allows another try.
    """

    __tablename__ = "member_import"
    __table_args__: ClassVar[Any] = (
        CheckConstraint("num_nulls(rows, request) = CASE WHEN finished_at IS NULL THEN 0 ELSE 2 END", name="rows"),
        CheckConstraint("(status IN ('waiting', 'running')) = (finished_at IS NULL)", name="finished"),
        Index("uq_member_import_open", "group_id", unique=True, postgresql_where=text("finished_at IS NULL")),
        Index(None, "group_id", "id"),
    )

    id: int = Field(default=None, sa_type=BigInteger, primary_key=True, sa_column_args=[Identity()])
    group_id: int = Field(sa_type=BigInteger, foreign_key="user_group.id", ondelete="CASCADE")
    actor_id: uuid.UUID = Field(foreign_key="user.id", ondelete="CASCADE", index=True)
    created_at: datetime = Field(
        default=None, sa_type=DateTime(timezone=True), nullable=False, sa_column_kwargs={"server_default": func.now()}
    )
    progressed_at: datetime = Field(
        default=None, sa_type=DateTime(timezone=True), nullable=False, sa_column_kwargs={"server_default": func.now()}
    )
    finished_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    status: ImportStatus = Field(
        default=ImportStatus.WAITING,
        sa_type=one_of(ImportStatus),
        sa_column_kwargs={"server_default": ImportStatus.WAITING},
    )
    rows: bytes | None
    request: dict[str, Any] | None = Field(sa_type=JSONB)
    total: int = Field(sa_type=BigInteger)
    done: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    mails_counted: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    counts: dict[str, int] = Field(default_factory=dict, sa_type=JSONB, sa_column_kwargs={"server_default": "{}"})
    error: str = Field(default="", sa_type=String(CODE_LENGTH), sa_column_kwargs={"server_default": ""})
    retry_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
