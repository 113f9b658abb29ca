"""Schemas of OAuth 2.0's endpoints for other services."""

import uuid
from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema

from accounts.models import Role
from accounts.schemas.fields import GroupIdNumber

TOKEN_LENGTH = 8192  # an access token with groups, and more
Absent = SkipJsonSchema[None]  # for optional members: omitted rather than null


def absent(description: str, *examples: Any) -> Any:
    """Return a member that is left out unless it is set."""
    return Field(default_factory=lambda: None, description=description, examples=[*examples] or None)


class TokenForm(BaseModel):
    """A token (RFC 7009, 2.1; RFC 7662, 2.1)."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=TOKEN_LENGTH)]
    token_type_hint: Annotated[str, StringConstraints(max_length=1000)] = Field("", description="Ignored.")


class IntrospectionForm(TokenForm):
    """A token, and a group in which to look up its user's role."""

    group: GroupIdNumber | None = Field(None, description="The id of a group.")


class IntrospectionRead(BaseModel):
    """What a token is worth now (RFC 7662, 2.2). Only `active` is there if it is worth nothing."""

    active: bool
    sub: uuid.UUID | Absent = absent("The user's id.")
    iss: str | Absent = absent("The issuer.", "https://accounts.example.com")
    aud: str | Absent = absent("The audience.", "accounts")
    client_id: str | Absent = absent("`accounts` for people, the user's id for service accounts.", "accounts")
    scope: str | Absent = absent("What the token may be used for.", "account")
    token_type: str | Absent = absent("How the token is sent.", "Bearer")
    iat: int | Absent = absent("When it was issued, in seconds since 1970.", 1893456000)
    exp: int | Absent = absent("When it expires.", 1893456900)
    jti: str | Absent = absent("The token's id.")
    sid: uuid.UUID | Absent = absent("The session's id.")
    auth_time: int | Absent = absent("When the user signed in.", 1893456000)
    acr: str | Absent = absent("At which assurance level.", "aal1")
    amr: list[str] | Absent = absent("How (RFC 8176).", ["pwd"])
    group_role: Role | None = absent("With `group`: the role of the user there, or null.")
