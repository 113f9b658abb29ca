"""How often something was tried lately: one row for each key, worth nothing after a crash and so not logged."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import DateTime
from sqlmodel import Field

from accounts.models.base import Entity

KEY_LENGTH = 100


class Throttle(Entity, table=True):
    """The theoretical arrival time (GCRA, ITU-T I.371) of the next attempt that a key may make at its rate."""

    __table_args__: ClassVar[Any] = ({"prefixes": ["UNLOGGED"]},)

    key: str = Field(primary_key=True, max_length=KEY_LENGTH)
    arrival_at: datetime = Field(sa_type=DateTime(timezone=True), index=True)
