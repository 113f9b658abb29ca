"""How often something may be tried: the generic cell rate algorithm (ITU-T I.371) as one statement of PostgreSQL.

It is exact across all processes that share the database: who tries at the same instant waits for the row's lock. Only
attempts that are allowed count, so whoever waits as long as told is let in.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Interval, String, bindparam, delete, func, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlmodel import col, select

from accounts.database import Session
from accounts.domain.errors import TooManyAttempts
from accounts.models import Throttle


@dataclass(frozen=True)
class Limit:
    """``attempts`` at once, and in the long run ``attempts`` in ``seconds``."""

    attempts: int
    seconds: int

    @property
    def period(self) -> timedelta:
        """How far a burst may run ahead of the rate."""
        return timedelta(seconds=self.seconds)

    @property
    def emission(self) -> timedelta:
        """What one attempt costs: the time after which another one is allowed at the rate."""
        return max(self.period / self.attempts, timedelta.resolution)

    def scaled(self, factor: float) -> "Limit":
        """Allow ``factor`` times as many attempts, and at least one."""
        return Limit(max(1, round(self.attempts * factor)), self.seconds)


@dataclass(frozen=True)
class Allowance:
    """What is left of the limit that is nearest: attempts at once, and seconds until it is whole again."""

    limit: Limit
    remaining: int
    reset_seconds: int


# Text, because SQLAlchemy would compile an ON CONFLICT anew each time, for longer than it takes to run. In the order of
# the keys, so that no two wait for one another; and by clock_timestamp(), since now() is older than a wait for a row.
COUNT = text("""
    WITH wanted AS (
        SELECT * FROM unnest(:keys, :emissions, :periods) AS given (key, emission, period) ORDER BY key
    )
    INSERT INTO throttle (key, arrival_at)
    SELECT key, clock_timestamp() + emission FROM wanted
    ON CONFLICT (key) DO UPDATE
    SET arrival_at = greatest(throttle.arrival_at, clock_timestamp())
        + (SELECT emission FROM wanted WHERE wanted.key = throttle.key)
    WHERE greatest(throttle.arrival_at, clock_timestamp())
        + (SELECT emission FROM wanted WHERE wanted.key = throttle.key)
        <= clock_timestamp() + (SELECT period FROM wanted WHERE wanted.key = throttle.key)
    RETURNING key, arrival_at, clock_timestamp()
""").bindparams(
    bindparam("keys", type_=ARRAY(String)),
    bindparam("emissions", type_=ARRAY(Interval)),
    bindparam("periods", type_=ARRAY(Interval)),
)


async def attempt(session: Session, limits: Mapping[str, Limit]) -> Allowance:
    """Count an attempt under all keys of ``limits``, none of them empty; it counts when the transaction commits.

    Raises:
        TooManyAttempts: one of the limits is reached. The transaction must be rolled back then, or the attempt counts
            under the other keys.

    """
    # First without a lock: a flood beyond the limit costs a look at its rows, and nobody waits for anybody.
    if refusal := await _refusal(session, limits):
        raise refusal
    values = {
        "keys": list(limits),
        "emissions": [limit.emission for limit in limits.values()],
        "periods": [limit.period for limit in limits.values()],
    }
    counted = (await (await session.connection()).execute(COUNT, values)).all()
    if beaten := limits.keys() - {key for key, _, _ in counted}:  # others were faster
        one = limits[min(beaten)]
        raise await _refusal(session, limits) or TooManyAttempts(1, one.attempts, one.seconds)
    allowances = [_allowance(limits[key], arrival - now) for key, arrival, now in counted]
    return min(allowances, key=lambda each: each.remaining)


async def _refusal(session: Session, limits: Mapping[str, Limit]) -> TooManyAttempts | None:
    statement = select(Throttle.key, Throttle.arrival_at, func.clock_timestamp()).where(col(Throttle.key).in_(limits))
    waits = {
        key: (arrival + limits[key].emission - limits[key].period - now).total_seconds()
        for key, arrival, now in await session.exec(statement)
    }
    longest = max(waits, key=waits.__getitem__, default=None)
    if longest is None or waits[longest] <= 0:
        return None
    return TooManyAttempts(math.ceil(waits[longest]), limits[longest].attempts, limits[longest].seconds)


def _allowance(limit: Limit, backlog: timedelta) -> Allowance:
    return Allowance(limit, (limit.period - backlog) // limit.emission, math.ceil(backlog.total_seconds()))


async def forget(session: Session, keys: Collection[str]) -> None:
    """Give each key its whole limit back."""
    locked = select(Throttle.key).where(col(Throttle.key).in_(keys)).order_by(col(Throttle.key)).with_for_update()
    await session.exec(delete(Throttle).where(col(Throttle.key).in_(locked)))


async def remember(session: Session, key: str, duration: timedelta) -> None:
    """Let ``is_remembered`` say yes to a key, from the commit on and for as long as ``duration``."""
    statement = insert(Throttle).values(key=key, arrival_at=func.clock_timestamp() + duration)
    await session.exec(
        statement.on_conflict_do_update(index_elements=["key"], set_={"arrival_at": statement.excluded.arrival_at})
    )


async def is_remembered(session: Session, key: str) -> bool:
    """Tell whether ``remember`` was told of a key, not too long ago."""
    statement = select(Throttle.key).where(Throttle.key == key, col(Throttle.arrival_at) > func.clock_timestamp())
    return (await session.exec(statement)).first() is not None


async def prune(session: Session) -> int:
    """Delete the rows that say no more than a missing one, and return how many there were."""
    return (await session.exec(delete(Throttle).where(col(Throttle.arrival_at) < func.clock_timestamp()))).rowcount
