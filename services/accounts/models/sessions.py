"""Sessions and known devices. A session's tokens are usable as long as its row exists."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import DateTime, Index, String, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field
from uuid_utils.compat import uuid7

from accounts.models.base import Entity, one_of

USER_AGENT_LENGTH = 300
RETURN_TO_LENGTH = 1000
ADDRESS_LENGTH = 45  # the longest textual form of an IPv6 address


class SessionKind(StrEnum):
    """How a session is authenticated: by bearer tokens, by a browser's cookie, or by a service account's only token."""

    BEARER = "bearer"
    COOKIE = "cookie"
    SERVICE = "service"


class Method(StrEnum):
    """How a user was authenticated: the values of the claim ``amr`` (RFC 8176, and two of our own)."""

    PASSWORD = "pwd"  # noqa: S105  # a name
    TOTP = "otp"
    RECOVERY_CODE = "rcv"  # not in the RFC
    HARDWARE_KEY = "hwk"
    SYNCED_KEY = "swk"
    USER_VERIFIED = "user"
    FEDERATED = "fed"
    MAILED_CODE = "email"  # not in the RFC
    MULTIPLE = "mfa"


class UserSession(Entity, table=True):
    """A sign-in. Sign-out, revocation and expiry delete the row."""

    __tablename__ = "user_session"
    __table_args__: ClassVar[Any] = (Index(None, "user_id", "created_at"), Index(None, "expires_at"))

    id: uuid.UUID = Field(primary_key=True, default_factory=uuid7)
    user_id: uuid.UUID = Field(foreign_key="user.id", ondelete="CASCADE")
    kind: SessionKind = Field(sa_type=one_of(SessionKind, "kind"))
    # Of the current refresh token or cookie. Any other token with this session's id was used before.
    token_hash: bytes
    created_at: datetime = Field(
        default=None, sa_type=DateTime(timezone=True), nullable=False, sa_column_kwargs={"server_default": func.now()}
    )
    authenticated_at: datetime = Field(
        default=None, sa_type=DateTime(timezone=True), nullable=False, sa_column_kwargs={"server_default": func.now()}
    )
    last_seen_at: datetime = Field(
        default=None, sa_type=DateTime(timezone=True), nullable=False, sa_column_kwargs={"server_default": func.now()}
    )
    rotated_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    expires_at: datetime = Field(sa_type=DateTime(timezone=True))
    user_agent: str = Field(default="", max_length=USER_AGENT_LENGTH, sa_column_kwargs={"server_default": ""})
    address: str = Field(default="", max_length=ADDRESS_LENGTH, sa_column_kwargs={"server_default": ""})
    # What its access tokens may be used for. Empty in sessions of earlier releases, which have the scope ``account``.
    scopes: list[str] = Field(default=[], sa_type=ARRAY(String(20)), sa_column_kwargs={"server_default": "{}"})
    # The authenticator assurance level (NIST SP 800-63B): 2 with a second factor, or with a passkey.
    aal: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    # Empty in sessions of earlier releases, which began with a password, and in those of service accounts.
    methods: list[str] = Field(default=[], sa_type=ARRAY(String(20)), sa_column_kwargs={"server_default": "{}"})


class PendingSignIn(Entity, table=True):
    """A sign-in that waits for a second factor. Its token, of which only the hash is stored, opens nothing else."""

    __tablename__ = "pending_sign_in"
    __table_args__: ClassVar[Any] = (Index(None, "user_id"), Index(None, "expires_at"))

    token_hash: bytes = Field(primary_key=True)
    user_id: uuid.UUID = Field(foreign_key="user.id", ondelete="CASCADE")
    scopes: list[str] = Field(sa_type=ARRAY(String(20)))
    methods: list[str] = Field(sa_type=ARRAY(String(20)))
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    # What a sign-in with a provider continues with: a page or a URL, and an invitation.
    return_to: str = Field(default="", max_length=RETURN_TO_LENGTH, sa_column_kwargs={"server_default": ""})
    invitation_hash: bytes | None = None
    expires_at: datetime = Field(sa_type=DateTime(timezone=True))


class KnownDevice(Entity, table=True):
    """A browser and network, stored as a hash, that a user has signed in from."""

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
