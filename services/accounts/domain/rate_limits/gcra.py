"""Rate limiting by the generic cell rate algorithm (GCRA, ITU-T I.371), as one PostgreSQL statement.

Each key has one row: the theoretical arrival time of its next attempt. Row locks make the limits exact across all
processes. Refused attempts do not count, so a client that waits for the stated time is allowed.

No attempt stores a time beyond one period from now. Such a time was stored before the database's clock was set back,
and counts as missing: otherwise clients would be refused until the clock is there again.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import asyncpg

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain.errors import TooManyAttempts


@dataclass(frozen=True)
class Limit:
    """At most ``attempts`` in a burst, and ``attempts`` per ``seconds`` in the long run."""

    attempts: int
    seconds: int

    @property
    def period(self) -> timedelta:
        """The time in which an empty limit refills."""
        return timedelta(seconds=self.seconds)

    @property
    def emission(self) -> timedelta:
        """The time in which one attempt refills."""
        return max(self.period / self.attempts, timedelta.resolution)

    def scaled(self, factor: float) -> "Limit":
        """Multiply the attempts by ``factor``; at least one remains."""
        return Limit(max(1, round(self.attempts * factor)), self.seconds)


@dataclass(frozen=True)
class Allowance:
    """The tightest limit after an attempt: attempts left, and seconds until it is full again."""

    limit: Limit
    remaining: int
    reset_seconds: int


# First the stored times are read without a lock: refusing a flood is cheap, and refused attempts do not wait for each
# other. Only if no limit is exhausted, the rows are locked, in key order to avoid deadlocks. clock_timestamp() rather
# than now(), which is the transaction's start and may be older than the lock wait. If concurrent attempts exhausted a
# limit since then, the division by zero aborts the statement, so no key is counted; an explicit transaction would hold
# the locks for two more round trips. ``emission`` is that of all attempts which are counted at once.
CONSUME = CompiledStatement("""
    WITH wanted AS (
        SELECT key, emission, period, arrival_at
        FROM unnest(
            CAST(:keys AS text[]), CAST(:emissions AS interval[]), CAST(:periods AS interval[]), CAST(:always AS bool[])
        ) AS given (key, emission, period, always)
        LEFT JOIN throttle USING (key)
        WHERE always OR NOT EXISTS (
            SELECT FROM throttle AS known WHERE known.key = :known_network_key AND known.arrival_at > clock_timestamp()
        )
    ), exhausted AS (
        SELECT key, arrival_at - clock_timestamp() AS wait FROM wanted
        WHERE arrival_at - clock_timestamp() BETWEEN period - emission + interval '1 microsecond' AND period
    ), counted AS (
        INSERT INTO throttle (key, arrival_at)
        SELECT key, clock_timestamp() + emission FROM wanted WHERE NOT EXISTS (SELECT FROM exhausted) ORDER BY key
        ON CONFLICT (key) DO UPDATE
        SET arrival_at = CASE
                WHEN throttle.arrival_at > clock_timestamp() + (SELECT period FROM wanted WHERE key = throttle.key)
                THEN clock_timestamp() ELSE greatest(throttle.arrival_at, clock_timestamp())
            END + (SELECT emission FROM wanted WHERE key = throttle.key)
        WHERE throttle.arrival_at - clock_timestamp() NOT BETWEEN
            (SELECT period - emission FROM wanted WHERE key = throttle.key) + interval '1 microsecond'
            AND (SELECT period FROM wanted WHERE key = throttle.key)
        RETURNING key, arrival_at
    )
    SELECT key, wait, false AS is_counted FROM exhausted
    UNION ALL
    SELECT key, arrival_at - clock_timestamp(),
        1 / CAST(count(*) OVER () = (SELECT count(*) FROM wanted) AS integer) = 1 FROM counted
""")
SELECT_LIMITS = CompiledStatement("SELECT key, arrival_at, clock_timestamp() FROM throttle WHERE key = ANY(:keys)")


async def consume(
    connection: asyncpg.Connection,
    limits: Mapping[str, Limit],
    shared_limits: Mapping[str, Limit] | None = None,
    unknown_network_limits: Mapping[str, Limit] | None = None,
    known_network_key: str = "",
    *,
    cost: int = 1,
) -> Allowance:
    """Consume attempts from every limit, in one atomic statement: all of them, or none.

    Args:
        limits: at least one limit of the caller alone, by key; applied always.
        shared_limits: those that other clients consume, too; applied always.
        unknown_network_limits: applied only while ``known_network_key`` is not stored.
        cost: how many attempts to consume. No limit may have fewer.

    Returns:
        The tightest of ``limits``: attempts left, and seconds until it is full again. What other clients consumed is
        not for the caller to know.

    Raises:
        TooManyAttempts: a limit is exhausted. Nothing is consumed then.

    """
    exempt = unknown_network_limits or {}
    every = {**limits, **(shared_limits or {}), **exempt}
    consume_all = partial(_consume, connection, every, exempt, known_network_key, cost)
    rows = await consume_all() or await consume_all()  # the second time it sees what concurrent attempts have consumed
    allowances = [_allowance(limits[key], wait) for key, wait, is_counted in rows if is_counted and key in limits]
    if not allowances:
        waits = {key: wait.total_seconds() for key, wait, _ in rows}
        first = next(iter(limits.values()))
        raise _refusal(every, waits, cost) or TooManyAttempts(1, first.attempts, first.seconds)
    return min(allowances, key=lambda allowance: allowance.remaining)


async def _consume(
    connection: asyncpg.Connection,
    limits: Mapping[str, Limit],
    exempt: Collection[str],
    known_network_key: str,
    cost: int,
) -> Sequence[asyncpg.Record]:
    """Run CONSUME; return no rows if concurrent attempts have exhausted a limit."""
    values = {
        "keys": list(limits),
        "emissions": [cost * limit.emission for limit in limits.values()],
        "periods": [limit.period for limit in limits.values()],
        "always": [key not in exempt for key in limits],
    }
    try:
        return await CONSUME.fetch(connection, **values, known_network_key=known_network_key)
    except asyncpg.DivisionByZeroError:
        return []


async def select_exhausted(db: Session, limits: Mapping[str, Mapping[str, Limit]]) -> dict[str, int]:
    """Return the names of the sets of limits that allow no attempt now, and after how many seconds each does."""
    keys = [key for each in limits.values() for key in each]
    waits = {key: (arrival - now).total_seconds() for key, arrival, now in await SELECT_LIMITS.run(db, keys=keys)}
    refusals = {name: _refusal(each, waits, 1) for name, each in limits.items()}
    return {name: refusal.seconds for name, refusal in refusals.items() if refusal}


def _refusal(limits: Mapping[str, Limit], waits: Mapping[str, float], cost: int) -> TooManyAttempts | None:
    excess = {
        key: waits[key] + (cost * limit.emission - limit.period).total_seconds()
        for key, limit in limits.items()
        if waits.get(key, math.inf) <= limit.seconds
    }
    longest = max(excess, key=excess.__getitem__, default=None)
    if longest is None or excess[longest] <= 0:
        return None
    return TooManyAttempts(math.ceil(excess[longest]), limits[longest].attempts, limits[longest].seconds)


def _allowance(limit: Limit, backlog: timedelta) -> Allowance:
    return Allowance(limit, (limit.period - backlog) // limit.emission, math.ceil(backlog.total_seconds()))


REFUND = CompiledStatement("""
    WITH wanted AS (
        SELECT * FROM unnest(CAST(:keys AS text[]), CAST(:emissions AS interval[])) AS given (key, emission)
    ), locked AS (SELECT key FROM throttle WHERE key = ANY(:keys) ORDER BY key FOR UPDATE)
    UPDATE throttle SET arrival_at = arrival_at - emission
    FROM wanted JOIN locked USING (key) WHERE throttle.key = wanted.key
""")


async def refund(connection: asyncpg.Connection, limits: Mapping[str, Limit]) -> None:
    """Return one attempt to each limit."""
    await REFUND.fetch(connection, keys=list(limits), emissions=[limit.emission for limit in limits.values()])


RESET_AND_REMEMBER = CompiledStatement("""
    WITH locked AS (SELECT key FROM throttle WHERE key = ANY(:keys) ORDER BY key FOR UPDATE),
    deleted AS (DELETE FROM throttle USING locked WHERE throttle.key = locked.key)
    INSERT INTO throttle (key, arrival_at) VALUES (:known_network_key, clock_timestamp() + :duration)
    ON CONFLICT (key) DO UPDATE SET arrival_at = excluded.arrival_at
""")


async def reset_limits(db: Session, keys: Collection[str], known_network_key: str, duration: timedelta) -> None:
    """Refill the limits of ``keys``, and store ``known_network_key`` for ``duration``, when the caller commits."""
    await RESET_AND_REMEMBER.run(db, keys=list(keys), known_network_key=known_network_key, duration=duration)
