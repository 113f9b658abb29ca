"""Groups and memberships: SQLModel entities, and the pattern for new ones."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Identity, Index, SmallInteger, String, func, text
from sqlalchemy.orm import Mapped
from sqlmodel import Field, Relationship

from accounts.models.base import COLLATION, Entity, Timestamps, one_of

if TYPE_CHECKING:
    from accounts.models.identity import User

GROUP_NAME_LENGTH = 100
DESCRIPTION_LENGTH = 1000


class Visibility(StrEnum):
    """Who can see a group: everyone, or its members only."""

    PUBLIC = "public"
    PRIVATE = "private"


class Role(StrEnum):
    """The role of a member, which determines the permissions in a group."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


class GroupKey(Entity, table=True):
    """The id of a group, which its memberships refer to. Triggers of ``user_group`` write it.

    It outlives a large group that was deleted: the worker deletes the memberships in batches, and the key at the end.
    """

    __tablename__ = "group_key"
    __table_args__: ClassVar[Any] = (
        Index("ix_group_key_deleted", "deleted_at", "id", postgresql_where=text("deleted_at IS NOT NULL")),
    )

    id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    deleted_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


OF_GROUP = "foreign(Membership.group_id) == UserGroup.id"  # no foreign key says so: see ``GroupKey``


class Membership(Entity, table=True):
    """A user's membership of a group, with their role. The primary key serves the list of a group's members."""

    __table_args__: ClassVar[Any] = (
        Index(None, "user_id", "group_id"),
        Index(None, "group_id", "role", "user_id"),
    )

    group_id: int = Field(sa_type=BigInteger, primary_key=True, foreign_key="group_key.id", ondelete="CASCADE")
    user_id: uuid.UUID = Field(primary_key=True, foreign_key="user.id", ondelete="CASCADE")
    role: Role = Field(default=Role.MEMBER, sa_type=one_of(Role), sa_column_kwargs={"server_default": Role.MEMBER})
    joined_at: datetime = Field(
        default=None,
        sa_type=DateTime(timezone=True),
        nullable=False,
        sa_column_kwargs={"server_default": func.now()},
    )

    user: Mapped["User"] = Relationship(back_populates="memberships", sa_relationship_kwargs={"lazy": "raise"})
    group: Mapped["UserGroup"] = Relationship(
        back_populates="memberships", sa_relationship_kwargs={"lazy": "raise", "primaryjoin": OF_GROUP}
    )


class UserGroup(Timestamps, Entity, table=True):
    """A named set of users. A trigger on ``membership`` maintains ``member_count``; the code only reads it."""

    __tablename__ = "user_group"
    __table_args__: ClassVar[Any] = (
        CheckConstraint("name <> ''", name="name_not_empty"),
        # For the list of groups by name, which merges one query for each visibility.
        Index("ix_user_group_visibility_name_lower_id", "visibility", text("lower(name)"), "id"),
    )

    id: int = Field(
        default=None,
        sa_type=BigInteger,
        primary_key=True,
        foreign_key="group_key.id",
        ondelete="RESTRICT",
        sa_column_args=[Identity()],
    )
    name: str = Field(sa_type=String(GROUP_NAME_LENGTH, COLLATION))
    description: str = Field(default="", max_length=DESCRIPTION_LENGTH, sa_column_kwargs={"server_default": ""})
    visibility: Visibility = Field(
        default=Visibility.PRIVATE,
        sa_type=one_of(Visibility),
        sa_column_kwargs={"server_default": Visibility.PRIVATE},
    )
    # The assurance level that a session needs for more than seeing and leaving the group.
    required_aal: int = Field(default=1, sa_type=SmallInteger, sa_column_kwargs={"server_default": "1"})
    member_count: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})

    memberships: Mapped[list["Membership"]] = Relationship(
        back_populates="group",
        cascade_delete=True,
        passive_deletes=True,
        sa_relationship_kwargs={"lazy": "raise", "primaryjoin": OF_GROUP},
    )
    users: Mapped[list["User"]] = Relationship(
        back_populates="groups",
        link_model=Membership,
        sa_relationship_kwargs={
            "viewonly": True,
            "lazy": "raise",
            "primaryjoin": OF_GROUP,
            "secondaryjoin": "foreign(Membership.user_id) == User.id",
        },
    )


# Names that look the same could be confused. ``public_name_key``, a function of the database, is the name without what
# cannot be seen and without letter case. Only public names are unique: refusing the name of a private group would
# reveal that it exists.
NAME_INDEX = Index(
    "uq_user_group_public_name_lower",
    func.public_name_key(UserGroup.name),
    unique=True,
    postgresql_where=text("visibility = 'public'"),
)
