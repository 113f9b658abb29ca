"""Schemas of sessions."""

import uuid
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from accounts.models.sessions import SessionKind


class SessionRead(BaseModel):
    """A session of the current user that has not ended."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    kind: SessionKind
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    user_agent: str = Field(examples=["Mozilla/5.0 (X11; Linux x86_64)"])
    address: str = Field(
        description="The client's IP address at sign-in or the last refresh.", examples=["203.0.113.7"]
    )
    current: bool = Field(default=False, description="Whether this request uses this session.")
