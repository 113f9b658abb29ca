"""Tokens that are sent to an address and work once."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import DateTime
from sqlmodel import Field

from accounts.models.base import Entity, one_of
from accounts.models.user import EMAIL_LENGTH


class Purpose(StrEnum):
    """The one thing that a token is good for."""

    VERIFY = "verify"
    RESET = "reset"
    CONFIRM_EMAIL = "confirm_email"
    UNDO_EMAIL = "undo_email"


class OneTimeToken(Entity, table=True):
    """The hash of a token and the address that it was sent to.

    The primary key allows one a user and purpose: a newer one takes the older one's place.
    """

    __tablename__ = "one_time_token"

    user_id: uuid.UUID = Field(primary_key=True, foreign_key="user.id", ondelete="CASCADE")
    purpose: Purpose = Field(primary_key=True, sa_type=one_of(Purpose))
    email: str = Field(max_length=EMAIL_LENGTH)
    token_hash: bytes = Field(unique=True)
    expires_at: datetime = Field(sa_type=DateTime(timezone=True))
