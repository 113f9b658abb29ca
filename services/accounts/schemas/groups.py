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


RequiredAal = Annotated[
    int,
    Field(
        ge=1,
        le=2,
        strict=True,
        description="The assurance level that a session needs for everything but seeing and leaving the group.",
        examples=[2],
    ),
]


class GroupUpdate(BaseModel):
    """Changes to a group. Fields that are left out are not changed."""

    name: GroupName = unchanged()
    description: Description = unchanged()
    visibility: Visibility = unchanged()
    required_aal: RequiredAal = unchanged()


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
    required_aal: int = Field(description="The assurance level that a session needs to use the group.", examples=[1])
    created_at: datetime
    updated_at: datetime


class GroupAssuranceRead(BaseModel):
    """What a group requires, and how many members assurance level 2 locks out, or would lock out, until they act."""

    required_aal: int = Field(examples=[1])
    users_locked_out: int = Field(description="Those without a second factor.", examples=[2])
    service_accounts_locked_out: int = Field(
        description="Those with a secret that was created in a session of level 1.", examples=[0]
    )


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
    second_factor: Annotated[
        bool | None, Field(description="Users with, or without, a second factor. Requires the admin role.")
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
    second_factor: bool | SkipJsonSchema[None] = Field(
        default_factory=lambda: None,
        description="In the list, for admins: whether the user has a second factor; null for service accounts.",
        examples=[True],
    )
    joined_at: datetime
