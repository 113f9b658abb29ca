"""Keys for programs: personal access tokens, and the client secrets of service accounts."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import DateTime, Index, SmallInteger, String, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field
from uuid_utils.compat import uuid7

from accounts.models.base import COLLATION, Entity
from accounts.models.sessions import ADDRESS_LENGTH

KEY_NAME_LENGTH = 60


class Scope(StrEnum):
    """What a token may be used for (RFC 6749, 3.3). It narrows what the user may do, and never extends it.

    ``ACCOUNT`` is everything that the user may do. Every sign-in has it, and no key. ``GROUPS`` adds the user's groups
    to access tokens. The other scopes are those of programs.
    """

    ACCOUNT = "account"
    GROUPS = "groups"
    PROFILE_READ = "profile:read"
    GROUPS_READ = "groups:read"
    GROUPS_WRITE = "groups:write"
    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    USERS_READ = "users:read"
    INTROSPECT = "introspect"


class AccessKey(Entity, table=True):
    """A personal access token, or a client secret if the user is a service account. Only the secret's hash is stored.

    Revoking deletes the row.
    """

    __tablename__ = "access_key"
    __table_args__: ClassVar[Any] = (Index(None, "user_id", "id"), Index(None, "expires_at"))

    id: uuid.UUID = Field(primary_key=True, default_factory=uuid7)
    user_id: uuid.UUID = Field(foreign_key="user.id", ondelete="CASCADE")
    name: str = Field(sa_type=String(KEY_NAME_LENGTH, COLLATION))
    secret_hash: bytes
    scopes: list[str] = Field(sa_type=ARRAY(String(20)))
    created_at: datetime = Field(
        default=None, sa_type=DateTime(timezone=True), nullable=False, sa_column_kwargs={"server_default": func.now()}
    )
    expires_at: datetime = Field(sa_type=DateTime(timezone=True))
    last_used_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    expiry_noticed_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    # The assurance level of the session that created the key.
    aal: int = Field(default=1, sa_type=SmallInteger, sa_column_kwargs={"server_default": "1"})
    last_used_address: str = Field(default="", max_length=ADDRESS_LENGTH, sa_column_kwargs={"server_default": ""})
