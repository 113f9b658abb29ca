"""Signing in, verifying and resetting, as they cross the wire."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from accounts.schemas.fields import Email, OpaqueToken, Password, Username

Ignored = Annotated[str, StringConstraints(max_length=1000)]


class LoginForm(BaseModel):
    """OAuth 2.0's password grant (RFC 6749, 4.3.2), whose ``username`` is the e-mail address; the rest is ignored."""

    username: Username = Field(description="The e-mail address.", examples=["king.arthur@camelot.example.com"])
    password: Password
    grant_type: Literal["password"] = "password"
    scope: Ignored = ""
    client_id: Ignored = ""
    client_secret: Ignored = ""


class RefreshForm(BaseModel):
    """OAuth 2.0's refresh grant (RFC 6749, 6)."""

    grant_type: Literal["refresh_token"] = "refresh_token"
    refresh_token: OpaqueToken
    scope: Ignored = ""
    client_id: Ignored = ""
    client_secret: Ignored = ""


class TokenRead(BaseModel):
    """The answer to a sign-in (RFC 6749, 5.1); ``expires_in`` is of the access token, in seconds."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  # a type, not a token
    expires_in: int
    refresh_token: str


class EmailInput(BaseModel):
    """An address that asks for a token."""

    email: Email


class TokenInput(BaseModel):
    """A token that was sent to an address."""

    token: OpaqueToken


class PasswordResetInput(TokenInput):
    """A token that was sent to an address, and the new password that it allows to set."""

    password: Password
