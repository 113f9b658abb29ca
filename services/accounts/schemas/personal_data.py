"""What is held about a user, as the user takes it away."""

import uuid
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from accounts.models.groups import Role
from accounts.models.identity import Purpose
from accounts.models.mail import MailKind
from accounts.models.sessions import SessionKind
from accounts.schemas.audit import PersonalEvent
from accounts.schemas.identity.users import UserRead

GroupId = Annotated[int, Field(examples=[1])]
GroupName = Annotated[str, Field(examples=["Round Table"])]
Address = Annotated[str, Field(examples=["king.arthur@camelot.example.com"])]


class Held(BaseModel):
    """A row that is held; its fields are named like what they are read from."""

    model_config = ConfigDict(from_attributes=True)


class PersonalMembership(Held):
    """A group that one belongs to."""

    group_id: GroupId
    group_name: GroupName
    role: Role
    joined_at: datetime


class PersonalSession(Held):
    """A sign-in, also one that has run out and is not deleted yet."""

    id: uuid.UUID
    kind: SessionKind
    created_at: datetime
    authenticated_at: datetime
    last_seen_at: datetime
    rotated_at: datetime | None
    expires_at: datetime
    user_agent: str = Field(examples=["Mozilla/5.0 (X11; Linux x86_64)"])
    address: str = Field(examples=["203.0.113.7"])


class PersonalToken(Held):
    """A token that was sent and not used."""

    purpose: Purpose
    email: Address
    expires_at: datetime


class PersonalDevice(Held):
    """A browser in a network that one has signed in from, known by a hash of both."""

    fingerprint: Annotated[str, BeforeValidator(bytes.hex)]
    seen_at: datetime


class PersonalMail(Held):
    """A mail to one that is not sent yet, or was given up."""

    id: uuid.UUID
    kind: MailKind
    email: Address
    language: str
    detail: dict[str, Any]
    created_at: datetime
    next_at: datetime
    attempts: int
    parked_at: datetime | None
    error: str


class PersonalInvitation(Held):
    """An invitation into a group that nobody has answered yet."""

    id: int
    group_id: GroupId
    email: Address
    role: Role
    note: str = Field(examples=["There is a seat beside mine."])
    created_at: datetime
    updated_at: datetime
    expires_at: datetime


class InvitationForMe(PersonalInvitation):
    """An invitation that was sent to one's address, which one has proven to have."""

    group_name: GroupName


class PersonalDataHead(BaseModel):
    """What there is one of."""

    exported_at: datetime
    not_shown: list[str] = Field(
        description="What is held besides: secrets, of which there are hashes only.",
        examples=[["user.hashed_password"]],
    )
    user: UserRead


class PersonalData(PersonalDataHead):
    """Everything that is held about a user."""

    memberships: list[PersonalMembership]
    sessions: list[PersonalSession]
    one_time_tokens: list[PersonalToken]
    devices: list[PersonalDevice]
    mails: list[PersonalMail]
    invitations_for_me: list[InvitationForMe]
    invitations_by_me: list[PersonalInvitation]
    events: list[PersonalEvent] = Field(description="What one did, and what was done to one: the newest first.")
