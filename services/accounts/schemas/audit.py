"""Schemas of audit events."""

import re
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from accounts.models.audit import ACTION_LENGTH
from accounts.schemas.pagination import PageQuery

DATE_AND_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ].+")  # RFC 3339, 5.6


def _not_a_number(value: object) -> object:
    """Refuse Unix time, which Pydantic would take, in seconds or in milliseconds."""
    is_number = isinstance(value, int | float)
    if is_number or (isinstance(value, str) and not DATE_AND_TIME.fullmatch(value)):
        raise PydanticCustomError("date_time", "Input should be a date and time such as 2026-01-31T00:00:00Z")
    return value


def _in_utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError:  # in UTC, it is before year 1 or after 9999
        raise ValueError("Out of range") from None


Instant = Annotated[
    Annotated[AwareDatetime, BeforeValidator(_not_a_number), AfterValidator(_in_utc)] | None,
    Field(examples=["2026-01-31T00:00:00Z"]),
]


class AuditQuery(PageQuery):
    """Filters of the audit log."""

    action: Annotated[
        str | None,
        StringConstraints(max_length=ACTION_LENGTH, pattern=r"^[a-z._]*$"),
        Field(description="The recorded action.", examples=["session.refused"]),
    ] = None
    actor_id: Annotated[uuid.UUID | None, Field(description="The user who performed the action.")] = None
    user_id: Annotated[uuid.UUID | None, Field(description="The user whom the action affected.")] = None
    group_id: Annotated[int | None, Field(ge=1, le=2**63 - 1, description="The group that the action affected.")] = None
    changes: Annotated[bool, Field(description="Leave out sign-ins, sign-outs and refused ones.")] = False
    since: Annotated[Instant, Field(description="At or after this time.")] = None
    until: Annotated[Instant, Field(description="Before this time.")] = None


class AuditRead(BaseModel):
    """An audit event. Events of commands have no actor and no IP address."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at: datetime
    action: str = Field(description="The recorded action.", examples=["session.started"])
    actor_id: uuid.UUID | None = Field(description="The user who performed the action.")
    user_id: uuid.UUID | None = Field(description="The user whom the action affected.")
    group_id: int | None = Field(description="The group that the action affected.")
    address: str = Field(description="The client's IP address.", examples=["192.0.2.1"])
    detail: dict[str, Any] = Field(description="Further data, which depends on the action.")


class ActivityRead(BaseModel):
    """An action that you performed or that affected your account."""

    at: datetime
    action: str = Field(description="The recorded action.", examples=["session.started"])
    by_me: bool = Field(description="Whether you performed the action.")
    address: str = Field(
        description="The client's IP address; empty for actions of other users.", examples=["192.0.2.1"]
    )


class PersonalEvent(ActivityRead):
    """An event in the export of personal data, without other users' ids and IP addresses."""

    id: int
    to_me: bool = Field(description="Whether the action affected you.")
    group_id: int | None
    detail: dict[str, Any]
