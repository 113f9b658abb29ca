"""What a process counts for Prometheus anyway, added to the figures of the hour: refused attempts and mail.

Nothing is added to the work of a request. A process that is killed loses what it counted since the last minute.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from accounts.db.errors import DATABASE_ERRORS
from accounts.db.session import Sessionmaker, transaction
from accounts.db.statements import CompiledStatement
from accounts.domain.figures.names import LIMITED, MAIL_FAILED, MAIL_SENT
from accounts.domain.rate_limits.rules import RULES, Attempt
from accounts.models import Period
from accounts.observability import metrics

log = logging.getLogger("accounts.figures")
SECONDS = 60.0
LAST_SECONDS = 2.0  # at the end of a process
MAIL_OUTCOMES = {"sent": MAIL_SENT, "parked": MAIL_FAILED}
# In the order of the names, so that processes that add to the same rows do not deadlock.
ADD = CompiledStatement(f"""
    INSERT INTO figure (period, at, name, value)
    SELECT '{Period.HOUR}', date_trunc('hour', now(), 'UTC'), name, value
    FROM unnest(CAST(:names AS text[]), CAST(:values AS bigint[])) AS given (name, value) ORDER BY name
    ON CONFLICT (period, at, name) DO UPDATE SET value = figure.value + excluded.value
""")  # noqa: S608  # only constants are interpolated
Totals = Mapping[str, int]


def refusals() -> Totals:
    """Return how many attempts the limits of each group have refused in this process."""
    totals: Counter[str] = Counter()
    for rule, total in metrics.refusals().items():
        totals[LIMITED[RULES[Attempt(rule)].group]] += total
    return totals


def mails() -> Totals:
    """Return how many mails this process has sent, and given up."""
    counted = metrics.mails_by_outcome()
    return {name: counted.get(outcome, 0) for outcome, name in MAIL_OUTCOMES.items()}


class Tally:
    """Adds to the figures what ``read`` counts from now on."""

    def __init__(self, read: Callable[[], Totals]) -> None:
        self._read = read
        self._stored = read()

    async def store(self, sessionmaker: Sessionmaker) -> None:
        """Add what was counted since the last time. If the transaction fails, it is added the next time."""
        totals = self._read()
        counted = {name: total - self._stored.get(name, 0) for name, total in totals.items()}
        new = {name: count for name, count in counted.items() if count}
        if new:
            async with transaction(sessionmaker) as db:
                await ADD.run(db, names=[*new], values=[*new.values()])
            self._stored = totals


@asynccontextmanager
async def storing(tally: Tally, sessionmaker: Sessionmaker) -> AsyncIterator[None]:
    """Store a tally each minute, and at the end."""
    task = asyncio.create_task(_store_each_minute(tally, sessionmaker))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        with suppress(*DATABASE_ERRORS, TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                await tally.store(sessionmaker)


async def _store_each_minute(tally: Tally, sessionmaker: Sessionmaker) -> None:
    while True:
        await asyncio.sleep(SECONDS)
        try:
            await tally.store(sessionmaker)
        except (*DATABASE_ERRORS, TimeoutError) as error:
            log.warning("figures will be stored later: %s", type(error).__name__)
