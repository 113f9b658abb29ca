"""Schemas of the sign-in by mailed code."""

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from accounts.schemas.fields import OpaqueToken
from accounts.schemas.identity.auth import SignInScopes

MailedCodeText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40),
    Field(description="The code in the mail. Case, hyphens and spaces do not matter.", examples=["WDJB-MJHT"]),
]


class CodeRequested(BaseModel):
    """What the client that requested a code keeps: the code is of no use without it."""

    code_token: str = Field(description="Secret. Send it with the code.")


class CodeForm(BaseModel):
    """The code that was mailed."""

    code: MailedCodeText


class CodeInput(CodeForm):
    """A code that was mailed, and the token of its request."""

    code_token: OpaqueToken


class CodeSignIn(CodeInput, SignInScopes):
    """A code, its token, and the scopes of the access tokens."""
