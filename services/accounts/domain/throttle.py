"""How often something may be tried: the generic cell rate algorithm (ITU-T I.371) as one statement of PostgreSQL.

It is exact across all processes that share the database: who tries at the same instant waits for the row's lock. Only
attempts that are allowed count, so whoever waits as long as told is let in.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Interval, String, bindparam, column, delete, func, literal_column
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.dialects.postgresql.dml import Insert
from sqlmodel import col, select

from accounts.database import Session
from accounts.domain.errors import TooManyAttempts
from accounts.models import Base, Throttle


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
        return self.period / self.attempts

    def scaled(self, factor: float) -> "Limit":
        """Allow ``factor`` times as many attempts, and at least one."""
        return Limit(max(1, round(self.attempts * factor)), self.seconds)


@dataclass(frozen=True)
class Allowance:
    """What is left of the limit that is nearest: attempts at once, and seconds until it is whole again."""

    limit: Limit
    remaining: int
    reset_seconds: int


def _counting() -> Insert:
    """Write the statement that counts each key, unless that would be beyond its limit; once, so that it is cached."""
    wanted = (
        func.unnest(
            bindparam("keys", type_=ARRAY(String)),
            bindparam("emissions", type_=ARRAY(Interval)),
            bindparam("periods", type_=ARRAY(Interval)),
        )
        .table_valued(column("key", String), column("emission", Interval), column("period", Interval))
        .render_derived("given")
    )
    wanted_rows = select(wanted.c.key, wanted.c.emission, wanted.c.period).cte("wanted")
    # Literal: an attribute would bring its table into the subquery, since there is no enclosing SELECT to find it in.
    of_row = wanted_rows.c.key == literal_column("throttle.key")
    emission = select(wanted_rows.c.emission).where(of_row).scalar_subquery()
    period = select(wanted_rows.c.period).where(of_row).scalar_subquery()
    # Not now(), the time at which the transaction began: while it waited for the row, others have moved it on.
    now = func.clock_timestamp()
    arrival = func.greatest(col(Throttle.arrival_at), now) + emission
    # In one order, so that two transactions cannot wait for one another.
    first = select(wanted_rows.c.key, now + wanted_rows.c.emission).order_by(wanted_rows.c.key)
    return (
        insert(Base.metadata.tables["throttle"])  # the ORM's insert would take the parameters for values
        .from_select(["key", "arrival_at"], first)
        .on_conflict_do_update(
            index_elements=["key"], set_={"arrival_at": arrival}, where=arrival <= func.clock_timestamp() + period
        )
    )


COUNT = _counting().returning(col(Throttle.key), col(Throttle.arrival_at), func.clock_timestamp())


async def attempt(session: Session, limits: Mapping[str, Limit]) -> Allowance:
    """Count an attempt under all keys of ``limits``, none of them empty; it counts when the transaction commits.

    Raises:
        TooManyAttempts: one of the limits is reached. The transaction must be rolled back then, or the attempt counts
            under the other keys.

    """
    values = {
        "keys": list(limits),
        "emissions": [limit.emission for limit in limits.values()],
        "periods": [limit.period for limit in limits.values()],
    }
    counted = (await session.exec(COUNT, params=values)).all()
    refused = limits.keys() - {key for key, _, _ in counted}
    if refused:
        raise await _refusal(session, {key: limits[key] for key in refused})
    allowances = [_allowance(limits[key], arrival - now) for key, arrival, now in counted]
    return min(allowances, key=lambda each: each.remaining)


async def _refusal(session: Session, limits: Mapping[str, Limit]) -> TooManyAttempts:
    statement = select(Throttle.key, Throttle.arrival_at, func.clock_timestamp()).where(col(Throttle.key).in_(limits))
    waits = [
        (arrival + limits[key].emission - limits[key].period - now, limits[key])
        for key, arrival, now in await session.exec(statement)
    ]
    wait, limit = max(waits, key=lambda each: each[0])
    return TooManyAttempts(max(1, math.ceil(wait.total_seconds())), limit.attempts, limit.seconds)


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
