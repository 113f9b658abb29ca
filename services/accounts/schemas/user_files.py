"""Schemas of user files: a line of an import or an export, and the result of an import."""

import uuid
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from accounts.models import Role
from accounts.schemas.audit import Instant
from accounts.schemas.fields import DisplayName, Email, GroupName, LanguageTag

HASH_LENGTH = 512
GROUPS_PER_USER = 1_000


def _not_in_the_future(created_at: datetime | None) -> datetime | None:
    if created_at and created_at > datetime.now(UTC):
        raise PydanticCustomError("future", "Input should not be in the future")
    return created_at


class GroupLine(BaseModel):
    """A membership of an imported user: of the group with an id, or of the one with a name."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[int, Field(ge=1, le=2**63 - 1, strict=True)] | None = None
    name: GroupName | None = None
    role: Role = Role.MEMBER

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if (self.id is None) == (self.name is None):
            raise PydanticCustomError("group", "A group should have either an id or a name")
        return self


class UserLine(BaseModel):
    """A user in a file. Without a password hash, the user has to reset the password."""

    model_config = ConfigDict(extra="forbid")

    email: Email
    display_name: DisplayName = ""
    language: LanguageTag | None = None
    hashed_password: Annotated[StrictStr, StringConstraints(max_length=HASH_LENGTH)] | None = None
    is_verified: StrictBool = False
    is_active: StrictBool = True
    created_at: Annotated[Instant, AfterValidator(_not_in_the_future)] = None
    id: uuid.UUID | None = None
    groups: Annotated[list[GroupLine], Field(max_length=GROUPS_PER_USER, default_factory=list)]


class UserImportRead(BaseModel):
    """What an import did with the users of a file. In a dry run, nothing was changed."""

    dry_run: bool
    created: int = Field(default=0, description="Users who were created.", examples=[3])
    without_password: int = Field(
        default=0, description="Those of them without a password, who have to reset it.", examples=[1]
    )
    invited: int = Field(
        default=0,
        description="Active ones of these, who get a mail to choose a password, if that was asked for.",
        examples=[0],
    )
    already_exist: int = Field(
        default=0, description="Users who existed already. Nothing of them was changed.", examples=[0]
    )
    reserved: int = Field(
        default=0,
        description="Users who were not created, because a change of another user's email can still be undone.",
        examples=[0],
    )
    groups_created: int = Field(default=0, description="Groups that were created.", examples=[1])
    memberships_created: int = Field(default=0, description="Memberships that were created.", examples=[3])
