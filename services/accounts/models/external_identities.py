"""Accounts of users at other providers, and sign-ins that are under way there."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, DateTime, Index, String, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field
from uuid_utils.compat import uuid7

from accounts.models.base import COLLATION, Entity, one_of
from accounts.models.identity import EMAIL_LENGTH
from accounts.models.sessions import RETURN_TO_LENGTH, SessionKind

PROVIDER_LENGTH = 50
ISSUER_LENGTH = 255
SUBJECT_LENGTH = 255


class AuthorizationPurpose(StrEnum):
    """What the user is sent to a provider for."""

    SIGN_IN = "sign_in"
    LINK = "link"
    REAUTHENTICATE = "reauthenticate"


class ExternalIdentity(Entity, table=True):
    """An account at another provider, with which a user signs in. Issuer and subject identify it, and nothing else."""

    __tablename__ = "external_identity"
    __table_args__: ClassVar[Any] = (
        Index("uq_external_identity_issuer_subject", "issuer", "subject", unique=True),
        Index("uq_external_identity_user_id_issuer", "user_id", "issuer", unique=True),
    )

    id: uuid.UUID = Field(primary_key=True, default_factory=uuid7)
    user_id: uuid.UUID = Field(foreign_key="user.id", ondelete="CASCADE")
    provider: str = Field(max_length=PROVIDER_LENGTH)  # its name in OIDC_PROVIDERS when the user connected it
    issuer: str = Field(max_length=ISSUER_LENGTH)
    subject: str = Field(max_length=SUBJECT_LENGTH)
    # As the provider named it at the last sign-in: for the user to recognise the account, and never looked up.
    email: str | None = Field(default=None, sa_type=String(EMAIL_LENGTH, COLLATION))
    created_at: datetime = Field(
        default=None, sa_type=DateTime(timezone=True), nullable=False, sa_column_kwargs={"server_default": func.now()}
    )
    last_used_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class PendingAuthorization(Entity, table=True):
    """A user who was sent to a provider, and is expected back, once.

    ``state`` and the secret in the browser's cookie are stored as hashes. What else is secret derives from both.
    """

    __tablename__ = "pending_authorization"
    __table_args__: ClassVar[Any] = (
        CheckConstraint("(purpose = 'sign_in') = (session_id IS NULL)", name="session"),
        Index(None, "session_id"),
        Index(None, "expires_at"),
    )

    state_hash: bytes = Field(primary_key=True)
    browser_hash: bytes
    provider: str = Field(max_length=PROVIDER_LENGTH)
    purpose: AuthorizationPurpose = Field(sa_type=one_of(AuthorizationPurpose, "purpose"))
    # What the user comes back for: tokens, or a cookie and a redirect to ``return_to``.
    kind: SessionKind = Field(sa_type=one_of(SessionKind, "kind"))
    scopes: list[str] = Field(sa_type=ARRAY(String(20)))
    return_to: str = Field(max_length=RETURN_TO_LENGTH)
    invitation_hash: bytes | None = None
    # Of the user who connects the account, or proves their presence. The sign-in ends with the session.
    session_id: uuid.UUID | None = Field(default=None, foreign_key="user_session.id", ondelete="CASCADE")
    expires_at: datetime = Field(sa_type=DateTime(timezone=True))
