"""The outbox: a row for each mail to send, inserted by the transaction that causes it and deleted once it is sent."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, String, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field
from uuid_utils.compat import uuid7

from accounts.models.base import COLLATION, Entity, one_of
from accounts.models.identity import EMAIL_LENGTH, LANGUAGE_LENGTH

ERROR_LENGTH = 300


class MailKind(StrEnum):
    """The kinds of mail, each with a template."""

    SIGN_UP = "sign_up"
    VERIFY = "verify"
    RESET = "reset"
    SIGN_IN_CODE = "sign_in_code"
    CONFIRM_EMAIL = "confirm_email"
    EMAIL_CHANGED = "email_changed"
    ACCOUNT_EXISTS = "account_exists"
    INVITATION = "invitation"
    NEW_SIGN_IN = "new_sign_in"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  # a name
    ROLE_CHANGED = "role_changed"
    SUPERUSER_CHANGED = "superuser_changed"
    SECURITY_CHANGED = "security_changed"
    TOKEN_CREATED = "token_created"  # noqa: S105  # a name
    TOKEN_EXPIRES = "token_expires"  # noqa: S105  # a name


# Mail that one user causes another to get. All other kinds are about the recipient's own account, and are sent first.
CAUSED_BY_OTHERS = frozenset([MailKind.INVITATION, MailKind.ROLE_CHANGED])
# Mail with a token or a code that proves the address, signs in, recovers the account or undoes a change. It is sent
# before all notices.
URGENT = frozenset(
    [
        MailKind.SIGN_UP,
        MailKind.VERIFY,
        MailKind.RESET,
        MailKind.SIGN_IN_CODE,
        MailKind.CONFIRM_EMAIL,
        MailKind.EMAIL_CHANGED,
    ]
)
URGENT_TURN, NOTICE_TURN = -1, 0
LAST_TURN = 2**62  # after all other mail


class OutboxMail(Entity, table=True):
    """A mail to send. ``detail`` has values for its template, but never a token: that is derived from ``id`` and a key.

    ``id`` is a UUIDv7 and becomes the Message-ID. ``next_at`` is when to send it, or to try again; ``parked_at`` when
    the worker gave up; ``error`` the latest failure.

    Of the mail that is due, the one with the lowest ``turn`` is sent next. It is -1 for mail with a token about the
    recipient's own account, and 0 for notices about it. The mails that a user, ``sender_id``, causes others to get have
    ascending turns. The last turn is that of mail to all users of an import.
    """

    __tablename__ = "outbox"
    __table_args__: ClassVar[Any] = (
        CheckConstraint("email <> ''", name="email_not_empty"),
        Index("ix_outbox_turn", "turn", "id", "next_at", postgresql_where=text("parked_at IS NULL")),
        Index("ix_outbox_sender_id_turn", "sender_id", "turn"),
        # For the pages that look after mail: that to an address, and that which was parked.
        Index("ix_outbox_email_lower_id", text("lower(email)"), "id"),
        Index("ix_outbox_parked", "id", postgresql_where=text("parked_at IS NOT NULL")),
    )

    id: uuid.UUID = Field(primary_key=True, default_factory=uuid7)
    kind: MailKind = Field(sa_type=one_of(MailKind))
    email: str = Field(sa_type=String(EMAIL_LENGTH, COLLATION))
    user_id: uuid.UUID | None = Field(default=None, foreign_key="user.id", ondelete="CASCADE", index=True)
    invitation_id: int | None = Field(
        default=None, sa_type=BigInteger, foreign_key="invitation.id", ondelete="CASCADE", index=True
    )
    sender_id: uuid.UUID | None = Field(default=None, foreign_key="user.id", ondelete="SET NULL")
    turn: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    language: str = Field(default="en", max_length=LANGUAGE_LENGTH, sa_column_kwargs={"server_default": "en"})
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB, sa_column_kwargs={"server_default": "{}"})
    created_at: datetime = Field(
        default=None, sa_type=DateTime(timezone=True), nullable=False, sa_column_kwargs={"server_default": func.now()}
    )
    next_at: datetime = Field(
        default=None, sa_type=DateTime(timezone=True), nullable=False, sa_column_kwargs={"server_default": func.now()}
    )
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    parked_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    error: str = Field(default="", max_length=ERROR_LENGTH, sa_column_kwargs={"server_default": ""})
