"""The record of what happened, as it crosses the wire."""

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from accounts.models.audit import ACTION_LENGTH
from accounts.schemas.pagination import PageQuery


def _in_utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError:  # in UTC it is before the year 1, or after 9999
        raise ValueError("Out of range") from None


Instant = Annotated[Annotated[AwareDatetime, AfterValidator(_in_utc)] | None, Field(examples=["2026-01-31T00:00:00Z"])]


class AuditQuery(PageQuery):
    """Which events are asked for."""

    action: Annotated[
        str | None,
        StringConstraints(max_length=ACTION_LENGTH, pattern=r"^[a-z.]*$"),
        Field(examples=["session.refused"]),
    ] = None
    actor_id: Annotated[uuid.UUID | None, Field(description="Who did it.")] = None
    user_id: Annotated[uuid.UUID | None, Field(description="Whom it was done to.")] = None
    group_id: Annotated[int | None, Field(ge=1, le=2**63 - 1)] = None
    since: Instant = None
    until: Annotated[Instant, Field(description="Before this instant.")] = None


class AuditRead(BaseModel):
    """Who did what to whom, when and from where. What a command does has no actor and no address."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at: datetime
    action: str = Field(examples=["session.started"])
    actor_id: uuid.UUID | None
    user_id: uuid.UUID | None
    group_id: int | None
    address: str = Field(examples=["192.0.2.1"])
    detail: dict[str, Any]


class ActivityRead(BaseModel):
    """What one did, or what was done to one's account. The address is there unless it is somebody else's."""

    at: datetime
    action: str = Field(examples=["session.started"])
    by_me: bool
    address: str = Field(examples=["192.0.2.1"])


class PersonalEvent(ActivityRead):
    """All that is recorded of it, but for who else had a part in it and where they were."""

    id: int
    to_me: bool
    group_id: int | None
    detail: dict[str, Any]
