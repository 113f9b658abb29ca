"""Users as they cross the wire."""

import uuid
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from accounts.schemas.fields import NFC, NFKC, DisplayName, Email, OpaqueToken, Password, Prefix
from accounts.schemas.pagination import PageQuery


def unchanged() -> Any:
    """The default of a field that a PATCH may leave out, but not set to null."""
    return Field(default_factory=lambda: None)


class UserRead(BaseModel):
    """A user, as shown to the user and to superusers."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    email: str = Field(json_schema_extra={"format": "email"}, examples=["king.arthur@camelot.example.com"])
    display_name: str = Field(examples=["Arthur Pendragon"])
    is_active: bool
    is_superuser: bool
    is_verified: bool
    created_at: datetime
    updated_at: datetime


class UserCreate(BaseModel):
    """What somebody who registers says."""

    email: Email
    password: Password
    display_name: DisplayName = ""


class RegistrationCreate(UserCreate):
    """What somebody who registers says; ``invitation`` is the token that was sent to the address, if one was."""

    # Not of the user: what is dumped is stored.
    invitation: Annotated[
        OpaqueToken | None, Field(exclude=True, description="The token of an invitation.", examples=[None])
    ] = None


class SuperuserCreate(UserCreate):
    """A user as only the command line and the seeder may make it."""

    is_superuser: bool = True
    is_verified: bool = True


class ManagedUserCreate(UserCreate):
    """What superusers say of a user whom they make."""

    is_active: StrictBool = True
    is_superuser: StrictBool = False
    is_verified: StrictBool = False


class UserQuery(PageQuery):
    """Which users are asked for; letter case makes no difference."""

    email: Annotated[Prefix | None, NFKC, Field(description="How the address begins.")] = None
    name: Annotated[Prefix | None, NFC, Field(description="How the name begins.")] = None
    is_active: bool | None = None
    is_superuser: bool | None = None
    is_verified: bool | None = None


class UserUpdate(BaseModel):
    """What users may change of themselves; what is left out stays as it is.

    A new address or password needs the current password, unless the sign-in is recent.
    """

    current_password: Password = unchanged()
    email: Email = unchanged()
    password: Password = unchanged()
    display_name: DisplayName = unchanged()


class Confirmation(BaseModel):
    """What a user who signed in long ago needs for what can't be taken back."""

    current_password: Password


class SuperuserUpdate(UserUpdate):
    """What superusers may change of anybody."""

    is_active: StrictBool = unchanged()
    is_superuser: StrictBool = unchanged()
    is_verified: StrictBool = unchanged()
