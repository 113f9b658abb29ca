"""Users, one-time tokens and pending registrations.

``User`` is declarative SQLAlchemy: FastAPI Users provides its columns as a mixin.
"""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from fastapi_users_db_sqlalchemy import SQLAlchemyBaseUserTable
from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    String,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlmodel import Field
from uuid_utils.compat import uuid7

from accounts.models.base import COLLATION, Base, DeclarativeTimestamps, Entity, one_of

if TYPE_CHECKING:
    from accounts.models.groups import Membership, UserGroup

# RFC 5321, 4.5.3.1.3: a path has at most 256 octets, including its angle brackets.
EMAIL_LENGTH = 254
DISPLAY_NAME_LENGTH = 100
LANGUAGE_LENGTH = 35  # of a tag (RFC 5646, 4.4.1)
SERVICE_DOMAIN = "service.invalid"  # of service accounts: such a domain never exists (RFC 6761)


class Factor(StrEnum):
    """A kind of second factor. Recovery codes are for users who cannot use another one, and need one beside them."""

    TOTP = "totp"
    PASSKEY = "passkey"
    RECOVERY_CODE = "recovery_code"


class User(SQLAlchemyBaseUserTable[uuid.UUID], DeclarativeTimestamps, Base):
    """A person or a program that can sign in. ``id`` is a UUIDv7 (RFC 9562), which sorts by creation time."""

    __tablename__ = "user"
    __table_args__ = (
        CheckConstraint("email <> ''", name="email_not_empty"),
        CheckConstraint(
            f"owner_group_id IS NULL OR (email = CAST(id AS text) || '@{SERVICE_DOMAIN}' "
            "AND hashed_password = '!' AND NOT is_superuser)",
            name="service_account",
        ),
        # For prefix searches by name; EMAIL_INDEX serves those by email address.
        Index("ix_user_display_name_lower_id", text("lower(display_name)"), "id"),
        # Partial indexes for the filters that select few users.
        Index("ix_user_superuser", "id", postgresql_where=text("is_superuser")),
        Index("ix_user_unverified", "id", postgresql_where=text("NOT is_verified")),
        Index("ix_user_inactive", "id", postgresql_where=text("NOT is_active")),
        Index("ix_user_owner_group_id", "owner_group_id", "id", postgresql_where=text("owner_group_id IS NOT NULL")),
    )

    if TYPE_CHECKING:
        id: uuid.UUID
        email: str
    else:
        id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, default=uuid7)
        email: Mapped[str] = mapped_column(String(EMAIL_LENGTH, COLLATION))
    display_name: Mapped[str] = mapped_column(String(DISPLAY_NAME_LENGTH, COLLATION), default="", server_default="")
    # The tag of the language of pages and letters; NULL follows the browser.
    language: Mapped[str | None] = mapped_column(String(LANGUAGE_LENGTH))
    # Only a service account has one, and neither a mailbox nor a password. It is deleted with the group.
    owner_group_id: Mapped[int | None] = mapped_column(ForeignKey("user_group.id", ondelete="CASCADE"))

    # The kinds of second factors that the user has, kept by ``refresh_factors``: a sign-in reads the row anyway.
    second_factors: Mapped[list[str]] = mapped_column(ARRAY(String(20)), default=list, server_default="{}")

    # Whether another email address, or this one, was verified before it became unverified. Such a user is no stranger.
    verified_before: Mapped[bool] = mapped_column(default=False, server_default="false")

    memberships: Mapped[list["Membership"]] = relationship(
        back_populates="user", lazy="raise", cascade="all, delete-orphan", passive_deletes=True
    )
    groups: Mapped[list["UserGroup"]] = relationship(
        secondary="membership",
        primaryjoin="foreign(Membership.user_id) == User.id",
        secondaryjoin="foreign(Membership.group_id) == UserGroup.id",
        back_populates="users",
        lazy="raise",
        viewonly=True,
    )


def service_email(user_id: uuid.UUID) -> str:
    """Return the email that stands in the row of a service account."""
    return f"{user_id}@{SERVICE_DOMAIN}"


def is_service_email(email: str) -> bool:
    """Return whether an email is one of service accounts: nothing can be sent to it."""
    return email.lower().endswith(f"@{SERVICE_DOMAIN}")


# One user per email address in any letter case; also serves FastAPI Users' look-up by lower(email).
EMAIL_INDEX = Index("uq_user_email_lower", func.lower(User.email), unique=True)


class Purpose(StrEnum):
    """The purpose of a one-time token."""

    VERIFY = "verify"
    RESET = "reset"
    CONFIRM_EMAIL = "confirm_email"
    UNDO_EMAIL = "undo_email"


class OneTimeToken(Entity, table=True):
    """The hash of a token and the email address that it was sent to.

    A user has one token per purpose: a newer token replaces the older one.
    """

    __tablename__ = "one_time_token"
    __table_args__: ClassVar[Any] = (
        # For reserved email addresses, which every sign-up looks up.
        Index(
            "ix_one_time_token_undo_email_lower", text("lower(email)"), postgresql_where=text("purpose = 'undo_email'")
        ),
    )

    user_id: uuid.UUID = Field(primary_key=True, foreign_key="user.id", ondelete="CASCADE")
    purpose: Purpose = Field(primary_key=True, sa_type=one_of(Purpose))
    email: str = Field(sa_type=String(EMAIL_LENGTH, COLLATION))
    token_hash: bytes = Field(unique=True)
    expires_at: datetime = Field(sa_type=DateTime(timezone=True))
    # ``expires_at`` moves when the mail is sent, so it would show that one was sent.
    requested_at: datetime = Field(
        default=None, sa_type=DateTime(timezone=True), nullable=False, sa_column_kwargs={"server_default": func.now()}
    )


class PendingRegistration(Entity, table=True):
    """A registration that waits for the token in its mail, or expires.

    It has neither a password nor a name: the owner of the mailbox chooses both with the token.
    """

    __tablename__ = "pending_registration"
    __table_args__: ClassVar[Any] = (Index("uq_pending_registration_email_lower", text("lower(email)"), unique=True),)

    token_hash: bytes = Field(primary_key=True)
    email: str = Field(sa_type=String(EMAIL_LENGTH, COLLATION))
    expires_at: datetime = Field(sa_type=DateTime(timezone=True))
