"""Schemas of second factors: the answers that prove one, and which ones a user has."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from accounts.schemas.fields import OpaqueToken, Password
from accounts.schemas.mailed_codes import CodeInput

PROOFS = ("code", "recovery_code", "passkey", "current_password", "mailed_code")
TotpCode = Annotated[str, StringConstraints(pattern=r"^[0-9 ]{6,10}$")]


class FactorCodes(BaseModel):
    """Exactly one proof of a second factor that people type."""

    code: TotpCode | None = Field(None, description="The code that the authenticator app shows.", examples=["492039"])
    recovery_code: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z -]{1,40}$")] | None = Field(
        None, description="A recovery code that was not used yet."
    )

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if sum(getattr(self, name, None) is not None for name in PROOFS) != 1:
            raise PydanticCustomError("one_proof", "Exactly one proof is required")
        return self


class FactorAnswer(FactorCodes):
    """Exactly one proof of a second factor."""

    passkey: dict[str, Any] | None = Field(
        None, description="The result of `navigator.credentials.get()`, as its `toJSON()` returns it."
    )


class MfaInput(FactorAnswer):
    """The token of a sign-in that waits for a second factor, and the proof."""

    mfa_token: OpaqueToken


class ElevateInput(FactorAnswer):
    """Exactly one proof: of a second factor, or the current password or a mailed code of a user without one."""

    current_password: Password | None = None
    mailed_code: CodeInput | None = Field(None, description="A code that `/auth/code/request` has mailed to the user.")


class TotpInput(BaseModel):
    """The code that confirms a new authenticator app."""

    code: TotpCode = Field(description="The code that the authenticator app shows.", examples=["492039"])


class TotpCreated(BaseModel):
    """The secret of a new authenticator app, which waits for its confirmation. It is shown only here."""

    secret: str = Field(description="For typing it in, in base32.", examples=["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"])
    uri: str = Field(description="For opening it in an app.", examples=["otpauth://totp/accounts:me@example.com?…"])
    qr: str = Field(
        description="The URI as a QR code: a data URI with an SVG image.", examples=["data:image/svg+xml,…"]
    )


class RecoveryCodesCreated(BaseModel):
    """New recovery codes, which are shown only here. Empty if the user keeps the ones from before."""

    recovery_codes: list[str] = Field(examples=[["4Q7D-0XTB-9RNM-W2KE", "8HCV-P5JZ-A3F6-YT1S"]])


class TotpRead(BaseModel):
    """An authenticator app."""

    created_at: datetime


class FactorsRead(BaseModel):
    """The second factors of a user."""

    totp: TotpRead | None = Field(description="The authenticator app, if there is one.")
    recovery_codes_left: int = Field(examples=[10])
    passkeys: int = Field(description="The number of passkeys.", examples=[0])
