"""Groups and their members as they cross the wire."""

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from accounts.models.groups import Role, Visibility
from accounts.schemas.fields import NFC, NFKC, Description, GroupName, Prefix
from accounts.schemas.identity.users import unchanged
from accounts.schemas.pagination import PageQuery


class GroupCreate(BaseModel):
    """What a new group is called and who may see it."""

    name: GroupName
    description: Description = ""
    visibility: Visibility = Visibility.PRIVATE


class GroupUpdate(BaseModel):
    """What is to be changed of a group; what is left out stays as it is."""

    name: GroupName = unchanged()
    description: Description = unchanged()
    visibility: Visibility = unchanged()


class GroupQuery(PageQuery):
    """Which groups are asked for; letter case makes no difference."""

    name: Annotated[Prefix | None, NFC, Field(description="How the name begins.")] = None
    visibility: Visibility | None = None


class OwnGroupQuery(PageQuery):
    """Which of one's own groups are asked for."""

    role: Annotated[Role | None, Field(description="What one is there.")] = None


class GroupRead(BaseModel):
    """A group that the caller may see. ``my_role`` is null for whoever is no member."""

    id: int = Field(examples=[1])
    name: str = Field(examples=["Round Table"])
    description: str = Field(examples=["Knights of the Round Table"])
    visibility: Visibility
    member_count: int = Field(examples=[4])
    my_role: Role | None
    created_at: datetime
    updated_at: datetime


class RoleInput(BaseModel):
    """What somebody is to be in a group."""

    role: Role


class TransferInput(BaseModel):
    """Which member becomes the owner."""

    user_id: uuid.UUID


class MemberQuery(PageQuery):
    """Which members are asked for; letter case makes no difference."""

    role: Role | None = None
    name: Annotated[Prefix | None, NFC, Field(description="How the name begins.")] = None
    email: Annotated[
        Prefix | None, NFKC, Field(description="How the address begins: for whoever may see addresses.")
    ] = None


class MemberRead(BaseModel):
    """A member of a group. ``email`` is there for members of the same group and superusers only."""

    id: uuid.UUID
    display_name: str = Field(examples=["Arthur Pendragon"])
    email: str | SkipJsonSchema[None] = Field(
        default_factory=lambda: None, examples=["king.arthur@camelot.example.com"]
    )
    role: Role
    joined_at: datetime
