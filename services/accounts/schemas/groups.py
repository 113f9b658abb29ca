"""Schemas of groups and their members."""

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
    """A new group."""

    name: GroupName
    description: Description = ""
    visibility: Visibility = Visibility.PRIVATE


class GroupUpdate(BaseModel):
    """Changes to a group. Fields that are left out are not changed."""

    name: GroupName = unchanged()
    description: Description = unchanged()
    visibility: Visibility = unchanged()


class GroupQuery(PageQuery):
    """Filters of the list of groups. Case is ignored."""

    name: Annotated[Prefix | None, NFC, Field(description="The beginning of the name.")] = None
    visibility: Visibility | None = None


class OwnGroupQuery(PageQuery):
    """Filters of the list of your own groups."""

    role: Annotated[Role | None, Field(description="Your role in the group.")] = None


class GroupRead(BaseModel):
    """A group."""

    id: int = Field(examples=[1])
    name: str = Field(examples=["Round Table"])
    description: str = Field(examples=["Knights of the Round Table"])
    visibility: Visibility
    member_count: int = Field(examples=[4])
    my_role: Role | None = Field(description="Your role, or null if you are not a member.")
    created_at: datetime
    updated_at: datetime


class RoleInput(BaseModel):
    """The role of a member."""

    role: Role


class TransferInput(BaseModel):
    """The member who becomes an owner."""

    user_id: uuid.UUID


class MemberQuery(PageQuery):
    """Filters of the list of members. Case is ignored."""

    role: Role | None = None
    name: Annotated[Prefix | None, NFC, Field(description="The beginning of the name.")] = None
    email: Annotated[
        Prefix | None, NFKC, Field(description="The beginning of the email. Requires permission to see emails.")
    ] = None


class MemberRead(BaseModel):
    """A member of a group."""

    id: uuid.UUID
    display_name: str = Field(examples=["Arthur Pendragon"])
    email: str | SkipJsonSchema[None] = Field(
        default_factory=lambda: None,
        description="Shown to members of the group and superusers only.",
        examples=["king.arthur@camelot.example.com"],
    )
    role: Role
    joined_at: datetime
