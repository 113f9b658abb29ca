"""Invitations as they cross the wire: to whoever invites, and to whoever is invited."""

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from accounts.models.groups import Role
from accounts.schemas.fields import Email, Note


class InvitationCreate(BaseModel):
    """Who is invited, as what, with which words and for how long."""

    email: Email
    role: Role = Role.MEMBER
    note: Note = ""
    expires_in_days: Annotated[int, Field(ge=1, le=30)] = 7


class Inviter(BaseModel):
    """Who has invited."""

    id: uuid.UUID
    display_name: str = Field(examples=["Arthur Pendragon"])


class InvitationRead(BaseModel):
    """An open invitation, for who may invite. ``inviter`` is null once their account is deleted."""

    id: int = Field(examples=[1])
    email: Email
    role: Role
    note: str = Field(examples=["There is a seat left."])
    inviter: Inviter | None
    created_at: datetime
    expires_at: datetime


class InvitingGroup(BaseModel):
    """What somebody who is invited is shown of the group."""

    id: int = Field(examples=[1])
    name: str = Field(examples=["Round Table"])


class OwnInvitationRead(BaseModel):
    """An open invitation, for whoever is invited. ``inviter_name`` is null once their account is deleted."""

    id: int = Field(examples=[1])
    group: InvitingGroup
    role: Role
    note: str = Field(examples=["There is a seat left."])
    inviter_name: str | None = Field(examples=["Arthur Pendragon"])
    created_at: datetime
    expires_at: datetime
