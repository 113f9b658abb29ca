"""Where a user has signed in from: whoever comes from elsewhere is told of to the user."""

import uuid
from datetime import datetime

from sqlalchemy import DateTime, func
from sqlmodel import Field

from accounts.models.base import Entity


class KnownDevice(Entity, table=True):
    """That a user has signed in by a browser in a network; of both there is a hash only."""

    __tablename__ = "known_device"

    user_id: uuid.UUID = Field(primary_key=True, foreign_key="user.id", ondelete="CASCADE")
    fingerprint: bytes = Field(primary_key=True)
    seen_at: datetime = Field(
        default=None,
        sa_type=DateTime(timezone=True),
        nullable=False,
        index=True,
        sa_column_kwargs={"server_default": func.now()},
    )
