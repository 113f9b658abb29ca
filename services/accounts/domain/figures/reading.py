"""Reads the figures of a day, a month or a year: two statements, whose cost depends on neither users nor events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain.figures.names import ACTIVE, MAIL_WAITING, SIGN_UPS
from accounts.models import Period
from accounts.schemas.figures import Span

LATE = timedelta(hours=2)
HOURS, DAYS, MONTHS = 24, 30, 12
PERIODS = {Span.DAY: Period.HOUR, Span.MONTH: Period.DAY, Span.YEAR: Period.DAY}
BINS = {Span.DAY: "hour", Span.MONTH: "day", Span.YEAR: "month"}
# Of the users of a month's days, the average.
SELECT_FIGURES = CompiledStatement(f"""
    SELECT date_trunc(:bin, at, 'UTC') AS start, name, CAST(CASE
        WHEN name LIKE '{ACTIVE}%' THEN round(avg(value))
        WHEN name = '{MAIL_WAITING}' THEN max(value) ELSE sum(value) END AS bigint)
    FROM figure WHERE period = :period AND at >= :since GROUP BY start, name
""")  # noqa: S608  # only constants are interpolated
SELECT_LAST = CompiledStatement(
    f"SELECT at FROM figure WHERE period = '{Period.HOUR}' AND name = '{SIGN_UPS}' ORDER BY at DESC LIMIT 1"  # noqa: S608
)


@dataclass(frozen=True)
class Figures:
    """Numbers by name, one for each of ``starts``. Those without a row are missing.

    ``last`` is the hour that was counted last, or None before the first time.
    """

    starts: Sequence[datetime]
    values: dict[tuple[datetime, str], int]
    last: datetime | None

    @property
    def is_late(self) -> bool:
        """Return whether nothing was counted for hours."""
        return self.last is not None and datetime.now(UTC) - self.last > LATE

    def of(self, *names: str) -> list[int]:
        """Return the sums of some figures, in the order of ``starts``."""
        return [sum(self.values.get((start, name), 0) for name in names) for start in self.starts]

    def known(self, name: str) -> list[int | None]:
        """Return a figure, in the order of ``starts``; None where it was not measured."""
        return [self.values.get((start, name)) for start in self.starts]


async def read_figures(db: Session, span: Span) -> Figures:
    """Read the figures of a span that ends now."""
    starts = bins(span, datetime.now(UTC))
    rows = await SELECT_FIGURES.run(db, bin=BINS[span], period=PERIODS[span], since=starts[0])
    last = await SELECT_LAST.run(db)
    return Figures(starts, {(start, name): value for start, name, value in rows}, last[0][0] if last else None)


def bins(span: Span, now: datetime) -> list[datetime]:
    """Return the beginnings of the hours, days or months of a span, of which the last is not over."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    if span == Span.DAY:
        return [hour - timedelta(hours=ago) for ago in reversed(range(HOURS))]
    if span == Span.MONTH:
        return [day - timedelta(days=ago) for ago in reversed(range(DAYS))]
    months = [now.year * 12 + now.month - 1 - ago for ago in reversed(range(MONTHS))]
    return [day.replace(year=each // 12, month=each % 12 + 1, day=1) for each in months]
