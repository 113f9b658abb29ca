"""Figures: what happened in the service, counted by hour and by day, for the dashboard."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, DateTime, String
from sqlmodel import Field

from accounts.models.base import Entity, one_of

NAME_LENGTH = 40


class Period(StrEnum):
    """The time that a figure is about."""

    HOUR = "hour"
    DAY = "day"


class Figure(Entity, table=True):
    """A number about one hour or day, which begins at ``at`` (UTC). It is about no user and no group."""

    __tablename__ = "figure"

    period: Period = Field(primary_key=True, sa_type=one_of(Period))
    at: datetime = Field(primary_key=True, sa_type=DateTime(timezone=True))
    name: str = Field(primary_key=True, sa_type=String(NAME_LENGTH))
    value: int = Field(sa_type=BigInteger)
