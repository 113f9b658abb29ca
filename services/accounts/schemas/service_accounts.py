"""Schemas of service accounts, of their secrets, and of OAuth 2.0's client credentials grant."""

import uuid
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from accounts.models import Role, Scope
from accounts.schemas.fields import KeyName, OpaqueToken, Password, ServiceAccountName
from accounts.schemas.identity.users import unchanged

# A service account is never a superuser, so the scopes for users would be of no use.
ServiceScope = Literal[
    Scope.PROFILE_READ,
    Scope.GROUPS_READ,
    Scope.GROUPS_WRITE,
    Scope.MEMBERS_READ,
    Scope.MEMBERS_WRITE,
    Scope.INTROSPECT,
]


class ServiceAccountCreate(BaseModel):
    """A new service account."""

    name: ServiceAccountName
    role: Annotated[Literal[Role.MEMBER, Role.ADMIN], Field(description="The role in the group.")] = Role.MEMBER


class ServiceAccountUpdate(BaseModel):
    """Changes to a service account. Fields that are left out are not changed."""

    name: ServiceAccountName = unchanged()


class ServiceAccountRead(BaseModel):
    """A service account of a group."""

    id: uuid.UUID = Field(description="The user id, which is also the `client_id`.")
    name: str = Field(examples=["Roster sync"])
    role: Role | None = Field(description="The role in the group, or null if it is not a member any more.")
    is_active: bool
    created_at: datetime


class SecretCreate(BaseModel):
    """A new secret. Requires `current_password`, unless the sign-in is recent."""

    name: KeyName
    scopes: Annotated[list[ServiceScope], Field(min_length=1, max_length=10, examples=[["members:read"]])]
    expires_in_days: Annotated[int, Field(ge=1, le=366, description="How many days the secret is valid.")]
    current_password: Password = unchanged()


class SecretRead(BaseModel):
    """A secret of a service account, without its text."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    name: str = Field(examples=["production"])
    scopes: list[str] = Field(examples=[["members:read"]])
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = Field(description="To the minute.")
    last_used_address: str = Field(description="The client's IP address.", examples=["203.0.113.7"])
    aal: int = Field(description="The assurance level of the sign-in that created it.", examples=[1])


class SecretCreated(SecretRead):
    """A new secret with its text, which is shown only once."""

    client_id: uuid.UUID
    client_secret: str = Field(examples=["acc_svc_…"])


class ClientCredentialsForm(BaseModel):
    """OAuth 2.0's client credentials grant (RFC 6749, 4.4.2)."""

    grant_type: Literal["client_credentials"]
    scope: Annotated[
        str,
        StringConstraints(max_length=1000),
        Field(
            description="Some of the secret's scopes, separated by blanks. By default all.", examples=["members:read"]
        ),
    ] = ""
    client_id: Annotated[OpaqueToken | None, Field(description="Unless it is sent by HTTP Basic.")] = None
    client_secret: Annotated[OpaqueToken | None, Field(description="Unless it is sent by HTTP Basic.")] = None


class ServiceTokenRead(BaseModel):
    """An access token of a service account (RFC 6749, 5.1). There is no refresh token: request another one."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  # a type, not a token
    expires_in: int = Field(description="Lifetime of the access token in seconds.", examples=[900])
    scope: str = Field(examples=["members:read"])
