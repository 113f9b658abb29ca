"""Rate limits: one row for each key. The table is unlogged, since losing it in a crash only refills the limits."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import DateTime
from sqlmodel import Field

from accounts.models.base import Entity

KEY_LENGTH = 100


class Throttle(Entity, table=True):
    """A key's theoretical arrival time (GCRA, ITU-T I.371): when its limit is full again.

    ``arrival_at`` has no index, and pages have room (fillfactor, in the migrations), so updates are HOT: they write no
    index, and leave nothing for vacuum. The clean-up reads the whole table instead, which is small.
    """

    __table_args__: ClassVar[Any] = ({"prefixes": ["UNLOGGED"]},)

    key: str = Field(primary_key=True, max_length=KEY_LENGTH)
    arrival_at: datetime = Field(sa_type=DateTime(timezone=True))
