"""The figures of the dashboard: what they count from, and what is stored."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel import col, select

from accounts.db.session import transaction
from accounts.domain.figures.counting import count_recorded
from accounts.models import Figure, Period, User
from support.people import World


async def record_at(world: World, at: datetime, action: str, user: User | None = None, **detail: Any) -> None:
    """Record an event of the past, of a user who caused it."""
    values = {"at": at, "action": action, "user_id": user and user.id, "detail": json.dumps(detail)}
    async with world.owner() as db:
        statement = (
            "INSERT INTO audit_event (at, action, actor_id, user_id, detail) VALUES (:at, :action, :user_id, :user_id, "
            "CAST(:detail AS jsonb))"
        )
        await (await db.connection()).execute(text(statement), values)


async def now_of(world: World) -> datetime:
    """Return the time in the transaction of a test, in which it stands still."""
    async with transaction(world.sessionmaker) as db:
        now: datetime = (await (await db.connection()).execute(text("SELECT now()"))).scalar_one()
    return now.astimezone(UTC)


async def hour_of(world: World, hours_ago: int = 0) -> datetime:
    """Return the beginning of an hour."""
    now = await now_of(world)
    return now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours_ago)


async def count_all(world: World) -> int:
    """Count as the worker does, and return in how many transactions."""
    steps, more = 0, True
    while more:
        async with transaction(world.sessionmaker) as db:
            more = await count_recorded(db)
        steps += 1
    return steps


async def stored(world: World, period: Period = Period.HOUR, name: str = "") -> dict[tuple[datetime, str], int]:
    """Return the figures that are not zero, by time and name."""
    async with transaction(world.sessionmaker) as db:
        rows = await db.exec(select(Figure).where(col(Figure.period) == period, col(Figure.name).startswith(name)))
        return {(row.at.astimezone(UTC), row.name): row.value for row in rows if row.value}


async def totals(world: World, name: str = "") -> dict[str, int]:
    """Return the sums of all hours by name, without zeros."""
    sums: dict[str, int] = {}
    for (_, each), value in (await stored(world, name=name)).items():
        sums[each] = sums.get(each, 0) + value
    return sums
