"""Schemas of the export of personal data."""

import uuid
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from accounts.models.groups import Role
from accounts.models.identity import Purpose
from accounts.models.mail import MailKind
from accounts.models.member_imports import ImportStatus
from accounts.models.sessions import SessionKind
from accounts.schemas.audit import PersonalEvent
from accounts.schemas.identity.users import UserRead

GroupId = Annotated[int, Field(examples=[1])]
GroupName = Annotated[str, Field(examples=["Round Table"])]
Email = Annotated[str, Field(examples=["king.arthur@camelot.example.com"])]


class StoredRow(BaseModel):
    """A stored row. The fields are named like the attributes they are read from."""

    model_config = ConfigDict(from_attributes=True)


class PersonalMembership(StoredRow):
    """A membership of the user."""

    group_id: GroupId
    group_name: GroupName
    role: Role
    joined_at: datetime


class PersonalSession(StoredRow):
    """A session, including expired ones that are not deleted yet."""

    id: uuid.UUID
    kind: SessionKind
    created_at: datetime
    authenticated_at: datetime
    last_seen_at: datetime
    rotated_at: datetime | None
    expires_at: datetime
    user_agent: str = Field(examples=["Mozilla/5.0 (X11; Linux x86_64)"])
    address: str = Field(examples=["203.0.113.7"])
    scopes: list[str] = Field(examples=[["groups"]])
    aal: int = Field(examples=[1])
    methods: list[str] = Field(examples=[["pwd"]])


class PersonalAccessKey(StoredRow):
    """A personal access token of the user, including expired ones that are not deleted yet."""

    id: uuid.UUID
    name: str = Field(examples=["nightly report"])
    scopes: list[str] = Field(examples=[["groups:read"]])
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    expiry_noticed_at: datetime | None
    last_used_address: str = Field(examples=["203.0.113.7"])
    aal: int = Field(examples=[1])


class PersonalTotp(StoredRow):
    """The user's authenticator app, also one that was not confirmed."""

    created_at: datetime
    confirmed_at: datetime | None
    last_step: int = Field(description="The time step of the last code that was accepted.", examples=[58_790_000])


class PersonalPasskey(StoredRow):
    """A passkey of the user. The private key never leaves the authenticator."""

    id: uuid.UUID
    credential_id: Annotated[str, BeforeValidator(bytes.hex)]
    public_key: Annotated[str, BeforeValidator(bytes.hex)]
    name: str = Field(examples=["Phone"])
    sign_count: int = Field(examples=[7])
    transports: list[str] = Field(examples=[["hybrid", "internal"]])
    backup_eligible: bool
    created_at: datetime
    last_used_at: datetime | None


class PersonalIdentity(StoredRow):
    """An account at another provider with which the user signs in."""

    id: uuid.UUID
    provider: str = Field(examples=["google"])
    issuer: str = Field(examples=["https://accounts.google.com"])
    subject: str = Field(examples=["24400320"])
    email: Email | None
    created_at: datetime
    last_used_at: datetime | None


class PersonalToken(StoredRow):
    """A one-time token that was sent and not used."""

    purpose: Purpose
    email: Email
    requested_at: datetime
    expires_at: datetime


class PersonalDevice(StoredRow):
    """A browser and network from which the user signed in, stored as a hash of both."""

    fingerprint: Annotated[str, BeforeValidator(bytes.hex)]
    seen_at: datetime


class PersonalMail(StoredRow):
    """A mail to the user that is not sent yet, or could not be sent."""

    id: uuid.UUID
    kind: MailKind
    email: Email
    language: str
    detail: dict[str, Any]
    created_at: datetime
    next_at: datetime
    attempts: int
    parked_at: datetime | None
    error: str


class PersonalInvitation(StoredRow):
    """An open invitation."""

    id: int
    group_id: GroupId
    email: Email | None = Field(description="Null if a user was invited by id.")
    role: Role
    note: str = Field(examples=["There is a seat left."])
    created_at: datetime
    updated_at: datetime
    expires_at: datetime


class PersonalImport(StoredRow):
    """An import of members into a group, until 30 days after its end. Its file is not kept after that."""

    id: int
    group_id: GroupId
    created_at: datetime
    progressed_at: datetime
    finished_at: datetime | None
    status: ImportStatus
    total: int = Field(description="The rows of the file.", examples=[3])
    done: int = Field(examples=[3])
    counts: dict[str, int] = Field(examples=[{"added": 0, "invited": 3, "already_members": 0, "already_invited": 0}])
    error: str = Field(description="Why it was refused.", examples=[""])
    retry_at: datetime | None


class InvitationForMe(PersonalInvitation):
    """An open invitation to the user's verified email."""

    group_name: GroupName


class PersonalDataHead(BaseModel):
    """The members of the document that come first."""

    exported_at: datetime
    not_shown: list[str] = Field(
        description="Stored columns that are left out: hashes of secrets.",
        examples=[["user.hashed_password"]],
    )
    user: UserRead


class PersonalData(PersonalDataHead):
    """Everything that is stored about a user."""

    memberships: list[PersonalMembership]
    sessions: list[PersonalSession]
    access_keys: list[PersonalAccessKey]
    passkeys: list[PersonalPasskey]
    external_identities: list[PersonalIdentity]
    one_time_tokens: list[PersonalToken]
    totp: list[PersonalTotp]
    devices: list[PersonalDevice]
    mails: list[PersonalMail]
    invitations_for_me: list[InvitationForMe]
    invitations_by_me: list[PersonalInvitation]
    member_imports: list[PersonalImport]
    events: list[PersonalEvent] = Field(
        description="Actions that the user performed or was affected by, the newest first."
    )
