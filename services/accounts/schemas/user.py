"""Users as they cross the wire."""

import uuid
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from accounts.schemas.text import DisplayName, Email, Password


def unchanged() -> Any:
    """The default of a field that a PATCH may leave out, but not set to null."""
    return Field(default_factory=lambda: None)


class UserRead(BaseModel):
    """A user, as shown to the user and to superusers."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    email: Email
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


class SuperuserCreate(UserCreate):
    """A user as only the command line and the seeder may make it."""

    is_superuser: bool = True
    is_verified: bool = True


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
