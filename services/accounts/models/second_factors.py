"""Second factors: the authenticator app of a user, and recovery codes for users who lost it."""

import uuid
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, DateTime, Index, func, text
from sqlmodel import Field

from accounts.models.base import Entity


class Totp(Entity, table=True):
    """A user's authenticator app. It counts once it is confirmed by a code, which shows that the app has the secret."""

    __tablename__ = "totp"
    __table_args__: ClassVar[Any] = (Index(None, "created_at", postgresql_where=text("confirmed_at IS NULL")),)

    user_id: uuid.UUID = Field(primary_key=True, foreign_key="user.id", ondelete="CASCADE")
    secret_sealed: bytes  # see ``domain.sealing``
    confirmed_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    # The time step (RFC 6238) of the last code that was accepted: neither it nor an older one is accepted again.
    last_step: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    created_at: datetime = Field(
        default=None, sa_type=DateTime(timezone=True), nullable=False, sa_column_kwargs={"server_default": func.now()}
    )


class RecoveryCode(Entity, table=True):
    """The hash of a recovery code that was not used yet."""

    __tablename__ = "recovery_code"

    user_id: uuid.UUID = Field(primary_key=True, foreign_key="user.id", ondelete="CASCADE")
    code_hash: bytes = Field(primary_key=True)
    created_at: datetime = Field(
        default=None, sa_type=DateTime(timezone=True), nullable=False, sa_column_kwargs={"server_default": func.now()}
    )
