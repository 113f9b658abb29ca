"""The query of the dashboard."""

from enum import StrEnum

from pydantic import BaseModel


class Span(StrEnum):
    """The time that the dashboard shows: 24 hours, 30 days or 12 months."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"


class DashboardQuery(BaseModel):
    """What the dashboard shows."""

    period: Span = Span.DAY
