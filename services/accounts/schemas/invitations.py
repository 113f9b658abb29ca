"""Schemas of invitations: for the inviting group, and for the invited user."""

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from accounts.models.groups import Role
from accounts.schemas.fields import Email, Note


class InvitationCreate(BaseModel):
    """A new invitation."""

    email: Email
    role: Role = Role.MEMBER
    note: Note = ""
    expires_in_days: Annotated[
        int, Field(ge=1, le=30, description="How many days the invitation is valid.", examples=[7])
    ] = 7


class Inviter(BaseModel):
    """The user who sent the invitation."""

    id: uuid.UUID
    display_name: str = Field(examples=["Arthur Pendragon"])


class InvitationRead(BaseModel):
    """An open invitation of a group, to an email or to a user."""

    id: int = Field(examples=[1])
    email: Annotated[str, Field(json_schema_extra={"format": "idn-email"})] | None = Field(
        description="Null if a user was invited by id: members see each other's emails, inviters do not.",
        examples=["king.arthur@camelot.example.com"],
    )
    user_id: uuid.UUID | None = Field(description="The invited user. Null if an email was invited.")
    role: Role
    note: str = Field(examples=["There is a seat left."])
    inviter: Inviter | None = Field(description="Null if the inviter's account was deleted.")
    created_at: datetime
    expires_at: datetime


class InvitingGroup(BaseModel):
    """The data of a group that invited users see."""

    id: int = Field(examples=[1])
    name: str = Field(examples=["Round Table"])


class OwnInvitationRead(BaseModel):
    """An open invitation to the current user."""

    id: int = Field(examples=[1])
    group: InvitingGroup
    role: Role
    note: str = Field(examples=["There is a seat left."])
    inviter_name: str | None = Field(
        description="Null if the inviter's account was deleted.", examples=["Arthur Pendragon"]
    )
    created_at: datetime
    expires_at: datetime


class MailedInvitation(BaseModel):
    """An open invitation, as the holder of its mailed token sees it."""

    group: InvitingGroup
    role: Role
    note: str
    inviter_name: str | None
    email: str | None  # null if a user was invited by id; masked unless the invited user is signed in
    expires_at: datetime
