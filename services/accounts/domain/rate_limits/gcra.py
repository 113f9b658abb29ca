"""How often something may be tried: the generic cell rate algorithm (ITU-T I.371) as one statement of PostgreSQL.

It is exact across all processes that share the database: who tries at the same instant waits for the row's lock. Only
attempts that are allowed count, so whoever waits as long as told is let in.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
from sqlalchemy import delete, func
from sqlmodel import col

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
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


# In the order of the keys, so that no two wait for one another; and by clock_timestamp(), since now() is older than a
# wait for a row. Where others were faster under some of the keys, it divides by zero, and so counts under none: a
# transaction around it would hold the rows for two more round trips.
CONSUME = CompiledStatement("""
    WITH wanted AS (
        SELECT * FROM unnest(CAST(:keys AS text[]), CAST(:emissions AS interval[]), CAST(:periods AS interval[]))
            AS given (key, emission, period)
        ORDER BY key
    ), counted AS (
        INSERT INTO throttle (key, arrival_at)
        SELECT key, clock_timestamp() + emission FROM wanted
        ON CONFLICT (key) DO UPDATE
        SET arrival_at = greatest(throttle.arrival_at, clock_timestamp())
            + (SELECT emission FROM wanted WHERE wanted.key = throttle.key)
        WHERE greatest(throttle.arrival_at, clock_timestamp())
            + (SELECT emission FROM wanted WHERE wanted.key = throttle.key)
            <= clock_timestamp() + (SELECT period FROM wanted WHERE wanted.key = throttle.key)
        RETURNING key, arrival_at
    )
    SELECT key, arrival_at - clock_timestamp(), 1 / CAST(count(*) OVER () = cardinality(:keys) AS integer) FROM counted
""")
SELECT_LIMITS = CompiledStatement("SELECT key, arrival_at, clock_timestamp() FROM throttle WHERE key = ANY(:keys)")


async def consume(
    connection: asyncpg.Connection,
    limits: Mapping[str, Limit],
    strangers: Mapping[str, Limit] | None = None,
    known: str = "",
) -> Allowance:
    """Count an attempt under all keys of ``limits``, none of them empty; it counts at once.

    It counts under the keys of ``strangers`` as well, unless ``known`` is remembered.

    Raises:
        TooManyAttempts: one of the limits is reached. The attempt counts under no key then.

    """
    # First without a lock: a flood beyond the limit costs a look at its rows, and nobody waits for anybody.
    seen = await _select_limits(connection, [*limits, *(strangers or ()), known])
    if not seen.get(known, 0) > 0:
        limits = {**limits, **(strangers or {})}
    if refusal := _refusal(limits, seen):
        raise refusal
    values = {
        "keys": list(limits),
        "emissions": [limit.emission for limit in limits.values()],
        "periods": [limit.period for limit in limits.values()],
    }
    try:
        counted = await CONSUME.fetch(connection, **values)
    except asyncpg.DivisionByZeroError:
        counted = []
    if not counted:
        one = next(iter(limits.values()))
        raise _refusal(limits, await _select_limits(connection, [*limits])) or TooManyAttempts(
            1, one.attempts, one.seconds
        )
    allowances = [_allowance(limits[key], backlog) for key, backlog, _ in counted]
    return min(allowances, key=lambda each: each.remaining)


async def _select_limits(connection: asyncpg.Connection, keys: Sequence[str]) -> dict[str, float]:
    """Look up for how many seconds from now on keys are busy, or remembered."""
    rows = await SELECT_LIMITS.fetch(connection, keys=keys)
    return {key: (arrival - now).total_seconds() for key, arrival, now in rows}


def _refusal(limits: Mapping[str, Limit], seen: Mapping[str, float]) -> TooManyAttempts | None:
    waits = {
        key: seen[key] + (limit.emission - limit.period).total_seconds() for key, limit in limits.items() if key in seen
    }
    longest = max(waits, key=waits.__getitem__, default=None)
    if longest is None or waits[longest] <= 0:
        return None
    return TooManyAttempts(math.ceil(waits[longest]), limits[longest].attempts, limits[longest].seconds)


def _allowance(limit: Limit, backlog: timedelta) -> Allowance:
    return Allowance(limit, (limit.period - backlog) // limit.emission, math.ceil(backlog.total_seconds()))


RESET_AND_REMEMBER = CompiledStatement("""
    WITH locked AS (SELECT key FROM throttle WHERE key = ANY(:forgotten) ORDER BY key FOR UPDATE),
    forgotten AS (DELETE FROM throttle USING locked WHERE throttle.key = locked.key)
    INSERT INTO throttle (key, arrival_at) VALUES (:remembered, clock_timestamp() + :duration)
    ON CONFLICT (key) DO UPDATE SET arrival_at = excluded.arrival_at
""")


async def reset_limits(db: Session, keys: Collection[str], remembered: str, duration: timedelta) -> None:
    """Give each key its whole limit back, and remember another one for as long as ``duration``, from the commit on."""
    await RESET_AND_REMEMBER.run(db, forgotten=list(keys), remembered=remembered, duration=duration)


async def delete_expired_limits(db: Session) -> int:
    """Delete the rows that say no more than a missing one, and return how many there were."""
    return (await db.exec(delete(Throttle).where(col(Throttle.arrival_at) < func.clock_timestamp()))).rowcount
