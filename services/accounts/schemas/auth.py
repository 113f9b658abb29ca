"""Signing in, verifying and resetting, as they cross the wire."""

from typing import Annotated, Literal

from fastapi import Form
from fastapi.security import OAuth2PasswordRequestForm
from pydantic import BaseModel, StringConstraints

from accounts.schemas.text import Email, Opaque, Password, Username

Ignored = Annotated[str, StringConstraints(max_length=1000)]


class LoginForm(OAuth2PasswordRequestForm):
    """OAuth 2.0's password grant (RFC 6749, 4.3.2), whose ``username`` is the e-mail address; the rest is ignored."""

    def __init__(
        self,
        *,
        username: Annotated[Username, Form(description="The e-mail address.")],
        password: Annotated[Password, Form()],
        grant_type: Annotated[Literal["password"] | None, Form()] = None,
        scope: Annotated[Ignored, Form()] = "",
        client_id: Annotated[Ignored | None, Form()] = None,
        client_secret: Annotated[Ignored | None, Form()] = None,
    ) -> None:
        super().__init__(
            username=username,
            password=password,
            grant_type=grant_type,
            scope=scope,
            client_id=client_id,
            client_secret=client_secret,
        )


class RefreshForm(BaseModel):
    """OAuth 2.0's refresh grant (RFC 6749, 6)."""

    grant_type: Literal["refresh_token"] = "refresh_token"
    refresh_token: Opaque
    scope: Ignored = ""
    client_id: Ignored = ""
    client_secret: Ignored = ""


class TokenRead(BaseModel):
    """The answer to a sign-in (RFC 6749, 5.1); ``expires_in`` is of the access token, in seconds."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  # a type, not a token
    expires_in: int
    refresh_token: str


class EmailInput(BaseModel):
    """An address that asks for a token."""

    email: Email


class TokenInput(BaseModel):
    """A token that was sent to an address."""

    token: Opaque


class ResetInput(TokenInput):
    """A token that was sent to an address, and the new password that it allows to set."""

    password: Password
