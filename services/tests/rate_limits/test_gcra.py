"""Counting attempts: exactly, at any rate, and for no longer than necessary."""

import asyncio
from datetime import timedelta

import pytest

from accounts.db.engine import ConnectDriver
from accounts.db.session import transaction
from accounts.domain.errors import TooManyAttempts
from accounts.domain.rate_limits import gcra
from accounts.domain.rate_limits.gcra import Limit
from support.people import World

FIVE = Limit(5, 60)


async def attempts(
    connect: ConnectDriver, limits: dict[str, Limit], strangers: dict[str, Limit] | None = None, known: str = ""
) -> gcra.Allowance | TooManyAttempts:
    try:
        async with connect() as connection:
            return await gcra.consume(connection, limits, strangers, known)
    except TooManyAttempts as refusal:
        return refusal


async def later(world: World, seconds: float) -> None:
    """Let time pass, by moving what is stored into the past."""
    await world.sql(f"UPDATE throttle SET arrival_at = arrival_at - interval '{seconds} seconds'")  # noqa: S608  # a number


async def test_tells_what_is_left(world: World) -> None:
    made = [await attempts(world.connect, {"key": FIVE}) for _ in range(6)]

    *allowed, refused = made
    assert [(each.remaining, each.reset_seconds) for each in allowed if isinstance(each, gcra.Allowance)] == [
        (4, 12), (3, 24), (2, 36), (1, 48), (0, 60),
    ]  # fmt: skip
    assert isinstance(refused, TooManyAttempts)
    assert (refused.seconds, refused.attempts, refused.period) == (12, 5, 60)


async def test_whoever_waits_as_told_is_let_in_once(world: World) -> None:
    for _ in range(9):
        await attempts(world.connect, {"key": FIVE})

    await later(world, 11.5)
    early = await attempts(world.connect, {"key": FIVE})
    await later(world, 0.5)
    made = [await attempts(world.connect, {"key": FIVE}) for _ in range(2)]

    assert isinstance(early, TooManyAttempts)
    assert early.seconds == 1
    assert [type(each) for each in made] == [gcra.Allowance, TooManyAttempts]


async def test_all_limits_hold_and_a_refused_attempt_counts_under_none(world: World) -> None:
    both = {"a": FIVE, "b": Limit(2, 3600)}

    made = [await attempts(world.connect, both) for _ in range(4)]

    assert [getattr(each, "seconds", None) for each in made] == [None, None, 1800, 1800]
    assert [getattr(each, "remaining", None) for each in made] == [1, 0, None, None]
    last = await attempts(world.connect, {"a": FIVE})
    assert isinstance(last, gcra.Allowance)
    assert last.remaining == 2


async def test_is_exact_when_hundreds_try_at_once(busy_world: World) -> None:
    """Their keys come in different orders, and nobody waits for one another."""
    orders = [{"a": FIVE, "b": Limit(100, 60)}, {"b": Limit(100, 60), "a": FIVE}]

    made = await asyncio.gather(*(attempts(busy_world.connect, orders[number % 2]) for number in range(300)))

    assert sum(isinstance(each, gcra.Allowance) for each in made) == 5


async def test_a_limit_may_be_too_high_to_be_one(world: World) -> None:
    limits = {"key": Limit(300, 60).scaled(1_000_000)}

    assert not isinstance(await attempts(world.connect, limits), TooManyAttempts)


async def test_can_be_forgotten(world: World) -> None:
    for _ in range(5):
        await attempts(world.connect, {"a": FIVE, "b": FIVE})

    async with transaction(world.sessionmaker) as db:
        await gcra.reset_limits(db, ["a", "nobody"], "known", timedelta(1))

    assert isinstance(await attempts(world.connect, {"a": FIVE}), gcra.Allowance)
    assert isinstance(await attempts(world.connect, {"b": FIVE}), TooManyAttempts)


async def test_whoever_is_known_is_no_stranger_for_a_while(world: World) -> None:
    once = {"all strangers": Limit(1, 3600)}

    async def come(known: str) -> gcra.Allowance | TooManyAttempts:
        return await attempts(world.connect, {f"limit of {known}": FIVE}, once, known)

    async with transaction(world.sessionmaker) as db:
        await gcra.reset_limits(db, [], "friend", timedelta(seconds=1))
        await gcra.reset_limits(db, [], "friend", timedelta(seconds=60))

    made = [await come("a stranger"), await come("another"), await come("friend")]
    await later(world, 60)

    assert [type(each) for each in made] == [gcra.Allowance, TooManyAttempts, gcra.Allowance]
    assert isinstance(await come("friend"), TooManyAttempts)


@pytest.mark.parametrize(("factor", "attempts_"), [(1, 5), (2.5, 12), (0.01, 1)])
def test_limits_scale(factor: float, attempts_: int) -> None:
    assert FIVE.scaled(factor) == Limit(attempts_, 60)
