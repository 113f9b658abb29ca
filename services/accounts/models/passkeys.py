"""Passkeys (WebAuthn Level 3), and the challenges of ceremonies that are in progress."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, String, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field
from uuid_utils.compat import uuid7

from accounts.models.access_keys import KEY_NAME_LENGTH
from accounts.models.base import COLLATION, Entity, one_of

CREDENTIAL_ID_LENGTH = 1023  # bytes (WebAuthn Level 3, 4)


class Passkey(Entity, table=True):
    """A passkey of a user. ``credential_id`` and ``public_key`` (in COSE) come from its authenticator."""

    __tablename__ = "passkey"
    __table_args__: ClassVar[Any] = (
        CheckConstraint(f"octet_length(credential_id) <= {CREDENTIAL_ID_LENGTH}", name="credential_id_length"),
        Index(None, "user_id", "id"),
    )

    id: uuid.UUID = Field(primary_key=True, default_factory=uuid7)
    user_id: uuid.UUID = Field(foreign_key="user.id", ondelete="CASCADE")
    credential_id: bytes = Field(unique=True)
    public_key: bytes
    # Of the last use. Authenticators that synchronise passkeys do not count, and send 0.
    sign_count: int = Field(sa_type=BigInteger)
    name: str = Field(sa_type=String(KEY_NAME_LENGTH, COLLATION))
    transports: list[str] = Field(sa_type=ARRAY(String(20)))
    backup_eligible: bool  # the passkey can be synchronised between devices
    created_at: datetime = Field(
        default=None, sa_type=DateTime(timezone=True), nullable=False, sa_column_kwargs={"server_default": func.now()}
    )
    last_used_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class CeremonyKind(StrEnum):
    """What a challenge is for: to add a passkey, to sign in, as the second factor, or to renew an authentication."""

    REGISTER = "register"
    SIGN_IN = "sign_in"
    SECOND = "second"
    ELEVATE = "elevate"


class WebauthnChallenge(Entity, table=True):
    """The hash of a challenge that was not used yet. Using it deletes the row.

    ``bound_to`` is the session's id, or the hash of the pending sign-in's token, or empty for a sign-in.
    """

    __tablename__ = "webauthn_challenge"
    __table_args__: ClassVar[Any] = (Index(None, "user_id"), Index(None, "expires_at"))

    challenge_hash: bytes = Field(primary_key=True)
    kind: CeremonyKind = Field(sa_type=one_of(CeremonyKind, "kind"))
    user_id: uuid.UUID | None = Field(default=None, foreign_key="user.id", ondelete="CASCADE")
    bound_to: bytes = b""
    expires_at: datetime = Field(sa_type=DateTime(timezone=True))
