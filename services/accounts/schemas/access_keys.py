"""Schemas of personal access tokens."""

import uuid
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from accounts.models import Scope
from accounts.schemas.fields import KeyName, Password
from accounts.schemas.identity.users import unchanged

MAX_DAYS = 366
# What a program can be granted. Changes of users require a person, so there is no scope for them.
ProgramScope = Literal[
    Scope.PROFILE_READ,
    Scope.GROUPS_READ,
    Scope.GROUPS_WRITE,
    Scope.MEMBERS_READ,
    Scope.MEMBERS_WRITE,
    Scope.USERS_READ,
    Scope.INTROSPECT,
]


def _distinct(scopes: list[ProgramScope]) -> list[ProgramScope]:
    return sorted(set(scopes))


ProgramScopes = Annotated[
    list[ProgramScope],
    Field(min_length=1, max_length=20, examples=[["groups:read", "members:read"]]),
    AfterValidator(_distinct),
]


class PersonalAccessTokenCreate(BaseModel):
    """A new personal access token.

    Requires `current_password`, unless the sign-in is recent.
    """

    name: KeyName
    scopes: ProgramScopes = Field(description="What it may be used for. `users:read` requires a superuser.")
    expires_in_days: int = Field(ge=1, le=MAX_DAYS, examples=[90])
    current_password: Password = unchanged()


class PersonalAccessTokenUpdate(BaseModel):
    """A new name for a personal access token."""

    name: KeyName


class PersonalAccessTokenRead(BaseModel):
    """A personal access token, without its secret. An expired one is listed for 30 days."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    name: str = Field(examples=["nightly report"])
    scopes: list[str] = Field(examples=[["groups:read", "members:read"]])
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = Field(description="To the minute; null if it was never used.")
    last_used_address: str = Field(description="The client's IP address at that time.", examples=["203.0.113.7"])
    aal: int = Field(description="The assurance level of the sign-in that created it.", examples=[1])


class PersonalAccessTokenCreated(PersonalAccessTokenRead):
    """A new personal access token, with its text."""

    token: str = Field(
        description="Send it as `Authorization: Bearer …`. It is not shown again.", examples=["acc_pat_…"]
    )
