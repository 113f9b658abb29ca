"""Invitations to groups: by email address, where the invited person may have no account yet, or by user id."""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Optional

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, DateTime, Identity, Index, String, func, text
from sqlalchemy.orm import Mapped
from sqlmodel import Field, Relationship, col

from accounts.models.base import COLLATION, Entity, Timestamps, folded, one_of
from accounts.models.groups import Role
from accounts.models.identity import EMAIL_LENGTH

if TYPE_CHECKING:
    from accounts.models.groups import UserGroup
    from accounts.models.identity import User

NOTE_LENGTH = 500


class Invitation(Timestamps, Entity, table=True):
    """An open invitation to a group, with the role that it grants. Accepting, declining and revoking delete the row.

    It is for ``email`` or for ``user_id``, and has only one of them: an inviter who knows a user by id must not learn
    the user's email address. Of the mailed token only the hash is stored. ``inviter`` is None after the inviter's
    deletion.
    """

    __table_args__: ClassVar[Any] = (
        CheckConstraint("email <> ''", name="email_not_empty"),
        CheckConstraint("num_nonnulls(email, user_id) = 1", name="email_or_user"),
        Index("uq_invitation_user_id_group_id", "user_id", "group_id", unique=True),
        Index("ix_invitation_email_lower_id", text("lower(email)"), "id"),
        Index(None, "group_id", "id"),
    )

    id: int = Field(default=None, sa_type=BigInteger, primary_key=True, sa_column_args=[Identity()])
    group_id: int = Field(sa_type=BigInteger, foreign_key="user_group.id", ondelete="CASCADE")
    email: str | None = Field(default=None, sa_type=String(EMAIL_LENGTH, COLLATION))
    user_id: uuid.UUID | None = Field(default=None, foreign_key="user.id", ondelete="CASCADE")
    role: Role = Field(default=Role.MEMBER, sa_type=one_of(Role), sa_column_kwargs={"server_default": Role.MEMBER})
    note: str = Field(default="", max_length=NOTE_LENGTH, sa_column_kwargs={"server_default": ""})
    inviter_id: uuid.UUID | None = Field(default=None, foreign_key="user.id", ondelete="SET NULL", index=True)
    token_hash: bytes = Field(unique=True)
    expires_at: datetime = Field(sa_type=DateTime(timezone=True))

    group: Mapped["UserGroup"] = Relationship(sa_relationship_kwargs={"lazy": "raise"})
    inviter: Mapped[Optional["User"]] = Relationship(
        sa_relationship_kwargs={"lazy": "raise", "foreign_keys": "Invitation.inviter_id"}
    )


IS_OPEN = col(Invitation.expires_at) > func.now()


def has_email(email: Any) -> ColumnElement[bool]:
    """Return the SQL condition that an invitation is for an email address."""
    return func.lower(Invitation.email) == folded(email)


# At most one invitation for a group and an email address.
INVITATION_INDEX = Index(
    "uq_invitation_group_id_email_lower", text("group_id"), func.lower(Invitation.email), unique=True
)
