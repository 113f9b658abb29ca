"""Groups and their members as they cross the wire."""

import uuid
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from accounts.models.group import Role, Visibility
from accounts.schemas.text import Description, GroupName


class GroupCreate(BaseModel):
    """What a new group is called and who may see it."""

    name: GroupName
    description: Description = ""
    visibility: Visibility = Visibility.PRIVATE


class GroupRead(BaseModel):
    """A group that the caller may see."""

    model_config = ConfigDict(from_attributes=True)

    id: int = Field(examples=[1])
    name: str = Field(examples=["Round Table"])
    description: str = Field(examples=["Knights of the Round Table"])
    visibility: Visibility
    created_at: datetime
    updated_at: datetime


class MemberRead(BaseModel):
    """A member of a group. ``email`` is there for members of the same group and superusers only."""

    id: uuid.UUID
    display_name: str = Field(examples=["Arthur Pendragon"])
    email: str | None = Field(default=None, examples=["king.arthur@camelot.example.com"])
    role: Role
    joined_at: datetime
