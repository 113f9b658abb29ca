"""Schemas of audit events."""

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from accounts.models.audit import ACTION_LENGTH
from accounts.schemas.pagination import PageQuery


def _in_utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError:  # in UTC, it is before year 1 or after 9999
        raise ValueError("Out of range") from None


Instant = Annotated[Annotated[AwareDatetime, AfterValidator(_in_utc)] | None, Field(examples=["2026-01-31T00:00:00Z"])]


class AuditQuery(PageQuery):
    """Filters of the audit log."""

    action: Annotated[
        str | None,
        StringConstraints(max_length=ACTION_LENGTH, pattern=r"^[a-z.]*$"),
        Field(description="What was done.", examples=["session.refused"]),
    ] = None
    actor_id: Annotated[uuid.UUID | None, Field(description="The user who did it.")] = None
    user_id: Annotated[uuid.UUID | None, Field(description="The user to whom it was done.")] = None
    group_id: Annotated[int | None, Field(ge=1, le=2**63 - 1, description="The group in which it was done.")] = None
    since: Annotated[Instant, Field(description="At or after this time.")] = None
    until: Annotated[Instant, Field(description="Before this time.")] = None


class AuditRead(BaseModel):
    """An audit event. Events of commands have no actor and no IP address."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at: datetime
    action: str = Field(description="What was done.", examples=["session.started"])
    actor_id: uuid.UUID | None = Field(description="The user who did it.")
    user_id: uuid.UUID | None = Field(description="The user to whom it was done.")
    group_id: int | None = Field(description="The group in which it was done.")
    address: str = Field(description="The client's IP address.", examples=["192.0.2.1"])
    detail: dict[str, Any] = Field(description="More about it, by action.")


class ActivityRead(BaseModel):
    """An event of your account: what you did, or what was done to you."""

    at: datetime
    action: str = Field(description="What was done.", examples=["session.started"])
    by_me: bool = Field(description="Whether you did it.")
    address: str = Field(description="The client's IP address; empty if another user did it.", examples=["192.0.2.1"])


class PersonalEvent(ActivityRead):
    """An event in the export of personal data, without other users' ids and IP addresses."""

    id: int
    to_me: bool = Field(description="Whether it was done to you.")
    group_id: int | None
    detail: dict[str, Any]
