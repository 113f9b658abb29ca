"""Schemas of the sign-in with other providers."""

import uuid
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from accounts.models.sessions import RETURN_TO_LENGTH
from accounts.schemas.fields import OpaqueToken
from accounts.schemas.identity.auth import SignInScope

PARAMETER_LENGTH = 4000  # of a code: that of Microsoft Entra has about 1,500 characters
Parameter = Annotated[str, StringConstraints(min_length=1, max_length=PARAMETER_LENGTH, pattern=r"^[\x20-\x7e]+$")]


class ProviderRead(BaseModel):
    """A provider with which users can sign in."""

    name: str = Field(description="The name in paths.", examples=["google"])
    display_name: str = Field(description="The name for people.", examples=["Google"])


class AuthorizationUrl(BaseModel):
    """Where to send the browser."""

    authorization_url: str = Field(examples=["https://accounts.google.com/o/oauth2/v2/auth?client_id=…"])


class ReturnQuery(BaseModel):
    """What follows when the user comes back."""

    redirect: bool = Field(False, description="Redirect to the provider, for links, instead of returning the URL.")
    kind: Literal["bearer", "cookie"] = Field(
        "bearer", description="`bearer`: the callback returns JSON. `cookie`: it sets a cookie, and redirects."
    )
    return_to: Annotated[str, StringConstraints(max_length=RETURN_TO_LENGTH, pattern=r"^[\x21-\x7e]*$")] = Field(
        "",
        description="Where the callback redirects to: an account page, or a URL of `PAGES_URL` or `CORS_ORIGINS`.",
        examples=["/account"],
    )


class SignInQuery(ReturnQuery):
    """What follows the sign-in."""

    scope: SignInScope = ""
    invitation: Annotated[OpaqueToken | None, Field(description="The token of an invitation to accept.")] = None


class CallbackQuery(BaseModel):
    """The parameters that the provider adds."""

    state: OpaqueToken
    code: Parameter | None = None
    iss: Parameter | None = None
    error: Parameter | None = None


class IdentityRead(BaseModel):
    """An account at a provider with which the user signs in."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    provider: str = Field(examples=["google"])
    issuer: str = Field(examples=["https://accounts.google.com"])
    email: str | None = Field(description="As the provider names it. It may differ from the user's.")
    created_at: datetime
    last_used_at: datetime | None
