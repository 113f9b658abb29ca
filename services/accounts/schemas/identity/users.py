"""Schemas of users."""

import uuid
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool
from pydantic.json_schema import SkipJsonSchema

from accounts.schemas.fields import NFC, NFKC, DisplayName, Email, LanguageTag, OpaqueToken, Password, Prefix
from accounts.schemas.pagination import PageQuery


def unchanged() -> Any:
    """Return the default of a field that a PATCH may leave out, but not set to null."""
    return Field(default_factory=lambda: None)


class UserRead(BaseModel):
    """A user, as seen by the user and by superusers."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    email: str = Field(json_schema_extra={"format": "idn-email"}, examples=["king.arthur@camelot.example.com"])
    display_name: str = Field(examples=["Arthur Pendragon"])
    language: str | None = Field(
        description="The language of pages and mail; null follows the browser.", examples=["de"]
    )
    is_active: bool
    is_superuser: bool
    is_verified: bool
    created_at: datetime
    updated_at: datetime


class ListedUser(UserRead):
    """A user in the list of the administration pages."""

    owner_group_id: int | None
    second_factors: list[str]


class EmailChangeRead(BaseModel):
    """A change of the email that waits for its confirmation."""

    model_config = ConfigDict(from_attributes=True)

    email: str = Field(json_schema_extra={"format": "idn-email"}, examples=["rex@camelot.example.com"])
    requested_at: datetime = Field(description="When the token was requested. It works for 24 hours.")


class UserCreate(BaseModel):
    """A new user."""

    email: Email
    password: Password
    display_name: DisplayName = ""


class RegistrationCreate(UserCreate):
    """A new user who registers."""

    password: Password = Field(
        default_factory=lambda: "",
        description="Required with an invitation, and where `SIGN_UP` is `open`. Otherwise password and name are "
        "chosen with the token that is mailed, and ignored here.",
    )
    # Excluded, since the dumped values are stored as the user.
    invitation: Annotated[
        OpaqueToken | None,
        Field(exclude=True, description="The token of an invitation to this email.", examples=[None]),
    ] = None


class SuperuserCreate(UserCreate):
    """A new superuser. Only commands and the seeder create these."""

    is_superuser: bool = True
    is_verified: bool = True


class ManagedUserCreate(UserCreate):
    """A new user that a superuser creates.

    Requires the superuser's `current_password`, unless the sign-in is recent.
    """

    password: Password = Field(
        default_factory=lambda: "",
        description="Without one, a mail with a link to choose one is sent to the user, unless the user is inactive.",
    )
    # Excluded, since the dumped values are stored as the user.
    current_password: Annotated[Password, Field(exclude=True)] = unchanged()
    is_active: StrictBool = True
    is_superuser: StrictBool = False
    is_verified: StrictBool = False


class UserQuery(PageQuery):
    """Filters of the list of users. Case is ignored."""

    email: Annotated[Prefix | None, NFKC, Field(description="The beginning of the email.")] = None
    name: Annotated[Prefix | None, NFC, Field(description="The beginning of the name.")] = None
    is_active: bool | None = None
    is_superuser: bool | None = None
    is_verified: bool | None = None


class UserUpdate(BaseModel):
    """Changes to the current user. Fields that are left out are not changed.

    A new email or password requires `current_password`, unless the sign-in is recent.
    """

    current_password: Password = unchanged()
    email: Email = unchanged()
    password: Password = unchanged()
    display_name: DisplayName = unchanged()
    language: LanguageTag | None = Field(
        default_factory=lambda: None, description="The language of pages and mail; null follows the browser."
    )


class Confirmation(BaseModel):
    """The caller's current password, which is required unless the sign-in is recent."""

    current_password: Password


OptionalConfirmation = Confirmation | SkipJsonSchema[None]


class SuperuserUpdate(UserUpdate):
    """Changes to any user, by a superuser. Fields that are left out are not changed.

    Anything but the display name and the language requires the superuser's `current_password`, unless the sign-in is
    recent.
    """

    is_active: StrictBool = unchanged()
    is_superuser: StrictBool = unchanged()
    is_verified: StrictBool = unchanged()
