"""Schemas of passkeys. Those of options and responses are the JSON forms of WebAuthn Level 3."""

import uuid
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Json

from accounts.schemas.fields import KeyName, OpaqueToken
from accounts.schemas.identity.auth import SignInScopes

PasskeyName = Annotated[KeyName, Field(examples=["Phone"])]
PasskeyCreation = Annotated[
    dict[str, Any],
    Field(description="The result of `navigator.credentials.create()`, as its `toJSON()` returns it."),
]
PasskeyAssertion = Annotated[
    dict[str, Any],
    Field(description="The result of `navigator.credentials.get()`, as its `toJSON()` returns it."),
]

# What the script of the pages puts into a form. It is empty if there were no options.
PasskeyJson = Annotated[Json[dict[str, Any]] | None, BeforeValidator(lambda value: value or None)]


class PasskeyOptions(BaseModel):
    """Options for `navigator.credentials.get()`: give them to `PublicKeyCredential.parseRequestOptionsFromJSON()`."""

    challenge: str
    timeout: int = Field(description="In milliseconds.", examples=[300_000])
    rpId: str = Field(examples=["accounts.example.com"])  # noqa: N815  # the standard's name
    allowCredentials: list[dict[str, Any]]  # noqa: N815  # as above
    userVerification: str = Field(examples=["required"])  # noqa: N815  # as above


class PasskeyCreationOptions(BaseModel):
    """Options for `navigator.credentials.create()`.

    Give them to `PublicKeyCredential.parseCreationOptionsFromJSON()`.
    """

    rp: dict[str, Any] = Field(examples=[{"id": "accounts.example.com", "name": "accounts"}])
    user: dict[str, Any]
    challenge: str
    pubKeyCredParams: list[dict[str, Any]]  # noqa: N815  # the standard's name
    timeout: int = Field(description="In milliseconds.", examples=[300_000])
    excludeCredentials: list[dict[str, Any]]  # noqa: N815  # as above
    authenticatorSelection: dict[str, Any]  # noqa: N815  # as above
    attestation: str = Field(examples=["none"])


class PasskeyCreate(BaseModel):
    """A new passkey, and a name for it."""

    name: PasskeyName
    passkey: PasskeyCreation


class PasskeyUpdate(BaseModel):
    """A new name for a passkey."""

    name: PasskeyName


class PasskeyRead(BaseModel):
    """A passkey."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    name: str = Field(examples=["Phone"])
    backup_eligible: bool = Field(description="Whether it can be synchronised between devices.")
    created_at: datetime
    last_used_at: datetime | None = Field(description="Null if it was never used.")


class PasskeySignIn(SignInScopes):
    """A proof of a passkey."""

    passkey: PasskeyAssertion


class PendingSignInToken(BaseModel):
    """The token of a sign-in that waits for a second factor."""

    mfa_token: OpaqueToken
