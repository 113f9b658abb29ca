"""Requested codes to sign in with. A row has neither the code nor its hash: both need a secret key to compute."""

import uuid
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import DateTime, Index
from sqlmodel import Field

from accounts.models.base import Entity


class MailedCode(Entity, table=True):
    """A request for a code. Without a user nothing was mailed, and the row is there so that attempts take equal work.

    ``token_hash`` is that of the token of the client that sent the request. The code is derived from ``mail_id``, the
    id of its mail. ``user_updated_at`` is the user's, so a change of the user ends the code.
    """

    __tablename__ = "mailed_code"
    __table_args__: ClassVar[Any] = (
        Index(None, "user_id"),
        Index(None, "mail_id", unique=True),
        Index(None, "expires_at"),
    )

    token_hash: bytes = Field(primary_key=True)
    user_id: uuid.UUID | None = Field(default=None, foreign_key="user.id", ondelete="CASCADE")
    user_updated_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    mail_id: uuid.UUID
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    expires_at: datetime = Field(sa_type=DateTime(timezone=True))
