"""Schemas of second factors: the answers that prove one."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from accounts.schemas.fields import OpaqueToken, Password


class FactorAnswer(BaseModel):
    """Exactly one proof of a second factor."""

    code: Annotated[str, StringConstraints(pattern=r"^[0-9 ]{6,10}$")] | None = Field(
        None, description="The code that the authenticator app shows.", examples=["492039"]
    )
    recovery_code: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z -]{1,40}$")] | None = Field(
        None, description="A recovery code that was not used yet."
    )
    passkey: dict[str, Any] | None = Field(
        None, description="The result of `navigator.credentials.get()`, as its `toJSON()` returns it."
    )

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if len(self.model_dump(exclude={"mfa_token"}, exclude_none=True)) != 1:
            raise PydanticCustomError("one_proof", "Exactly one proof is required")
        return self


class MfaInput(FactorAnswer):
    """The token of a sign-in that waits for a second factor, and the proof."""

    mfa_token: OpaqueToken


class ElevateInput(FactorAnswer):
    """Exactly one proof: of a second factor, or the current password of a user without one."""

    current_password: Password | None = None
