"""Sessions as they cross the wire."""

import uuid
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from accounts.models.sessions import SessionKind


class SessionRead(BaseModel):
    """A sign-in that has not ended, as its user sees it."""

    model_config = ConfigDict(from_attributes=True, json_schema_serialization_defaults_required=True)

    id: uuid.UUID
    kind: SessionKind
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    user_agent: str = Field(examples=["Mozilla/5.0 (X11; Linux x86_64)"])
    address: str = Field(examples=["203.0.113.7"])
    current: bool = Field(default=False, description="Whether it is the one that asks.")
