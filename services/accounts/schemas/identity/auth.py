"""Schemas of sign-in, verification and password reset."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from accounts.models import Scope
from accounts.schemas.fields import DisplayName, Email, OpaqueToken, Password, Username

SIGN_IN_SCOPES = (Scope.ACCOUNT, Scope.GROUPS)


def _require_scopes(value: str) -> str:
    if not set(value.split()) <= {*SIGN_IN_SCOPES}:
        raise ValueError("must be scopes of a sign-in")
    return value


Ignored = Annotated[str, StringConstraints(max_length=1000), Field(description="Ignored.")]


SignInScope = Annotated[
    str,
    AfterValidator(_require_scopes),
    Field(description="`groups` adds the user's groups to the access tokens.", examples=["groups"]),
]


def sign_in_scopes(scope: str) -> list[Scope]:
    """Return the scopes of a session: everything that the user may do, and those that were asked for."""
    return [each for each in SIGN_IN_SCOPES if each == Scope.ACCOUNT or each in scope.split()]


class SignInScopes(BaseModel):
    """What the session of a sign-in may be used for."""

    scope: SignInScope = ""

    @property
    def scopes(self) -> list[Scope]:
        """The scopes of the session."""
        return sign_in_scopes(self.scope)


class LoginForm(SignInScopes):
    """OAuth 2.0's password grant (RFC 6749, 4.3.2)."""

    username: Username = Field(description="The email.", examples=["king.arthur@camelot.example.com"])
    password: Password
    grant_type: Literal["password"] = "password"
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
    """An access token and a refresh token (RFC 6749, 5.1)."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  # a type, not a token
    expires_in: int = Field(description="Lifetime of the access token in seconds.", examples=[300])
    refresh_token: str
    scope: str = Field(description="What the access token may be used for.", examples=["account groups"])


class EmailInput(BaseModel):
    """The email to which a token is sent."""

    email: Email


class TokenInput(BaseModel):
    """A token from a mail."""

    token: OpaqueToken


class RegistrationCompletion(TokenInput):
    """The token of a registration, and the password and name of the new user."""

    password: Password
    display_name: DisplayName = ""


class PasswordResetInput(TokenInput):
    """A reset token and the new password."""

    password: Password
