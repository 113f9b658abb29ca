"""The rate-limit algorithm: exact under concurrency, and with several limits at once."""

import asyncio
from datetime import timedelta

import pytest

from accounts.db.engine import ConnectDriver
from accounts.db.session import transaction
from accounts.domain.errors import TooManyAttempts
from accounts.domain.rate_limits import gcra
from accounts.domain.rate_limits.gcra import Limit
from support.people import World
from support.waiting import wait_for_lock

FIVE = Limit(5, 60)


async def attempt(
    connect: ConnectDriver,
    limits: dict[str, Limit],
    unknown_network_limits: dict[str, Limit] | None = None,
    known: str = "",
) -> gcra.Allowance | TooManyAttempts:
    try:
        async with connect() as connection:
            return await gcra.consume(
                connection, limits, unknown_network_limits=unknown_network_limits, known_network_key=known
            )
    except TooManyAttempts as refusal:
        return refusal


async def pass_time(world: World, seconds: float) -> None:
    """Let time pass, by moving the stored times into the past."""
    await world.sql(f"UPDATE throttle SET arrival_at = arrival_at - interval '{seconds} seconds'")  # noqa: S608  # a number


async def test_allowance_shows_attempts_left_and_seconds_until_full(world: World) -> None:
    outcomes = [await attempt(world.connect, {"key": FIVE}) for _ in range(6)]

    *allowed, refused = outcomes
    assert [(each.remaining, each.reset_seconds) for each in allowed if isinstance(each, gcra.Allowance)] == [
        (4, 12), (3, 24), (2, 36), (1, 48), (0, 60),
    ]  # fmt: skip
    assert isinstance(refused, TooManyAttempts)
    assert (refused.seconds, refused.attempts, refused.period) == (12, 5, 60)


async def test_attempt_is_allowed_once_after_the_stated_wait(world: World) -> None:
    for _ in range(9):
        await attempt(world.connect, {"key": FIVE})

    await pass_time(world, 11.5)
    early = await attempt(world.connect, {"key": FIVE})
    await pass_time(world, 0.5)
    outcomes = [await attempt(world.connect, {"key": FIVE}) for _ in range(2)]

    assert isinstance(early, TooManyAttempts)
    assert early.seconds == 1
    assert [type(each) for each in outcomes] == [gcra.Allowance, TooManyAttempts]


@pytest.mark.parametrize("seconds", [60, 3600, 366 * 86400])
async def test_limits_work_after_the_clock_was_set_back(world: World, seconds: int) -> None:
    for _ in range(6):
        await attempt(world.connect, {"key": FIVE})
    await pass_time(world, -seconds)

    outcomes = [await attempt(world.connect, {"key": FIVE}) for _ in range(6)]

    assert [getattr(each, "remaining", None) for each in outcomes] == [4, 3, 2, 1, 0, None]


async def test_all_limits_apply_and_a_refused_attempt_consumes_none(world: World) -> None:
    both = {"a": FIVE, "b": Limit(2, 3600)}

    outcomes = [await attempt(world.connect, both) for _ in range(4)]

    assert [getattr(each, "seconds", None) for each in outcomes] == [None, None, 1800, 1800]
    assert [getattr(each, "remaining", None) for each in outcomes] == [1, 0, None, None]
    last = await attempt(world.connect, {"a": FIVE})
    assert isinstance(last, gcra.Allowance)
    assert last.remaining == 2


async def test_limit_is_exact_for_hundreds_of_concurrent_attempts(busy_world: World) -> None:
    """Attempts name their keys in different orders without a deadlock."""
    orders = [{"a": FIVE, "b": Limit(100, 60)}, {"b": Limit(100, 60), "a": FIVE}]

    outcomes = await asyncio.gather(*(attempt(busy_world.connect, orders[number % 2]) for number in range(300)))

    assert sum(isinstance(each, gcra.Allowance) for each in outcomes) == 5


async def test_limit_that_is_exhausted_meanwhile_refuses_and_consumes_no_other_limit(busy_world: World) -> None:
    both = {"a": FIVE, "b": FIVE}
    await attempt(busy_world.connect, both)
    async with busy_world.connect() as connection, connection.transaction():
        await connection.execute("UPDATE throttle SET arrival_at = clock_timestamp() + interval '60 s' WHERE key = 'b'")
        waiting = asyncio.create_task(attempt(busy_world.connect, both))
        await wait_for_lock(busy_world, "the attempt waits for the limit that another one exhausts")

    assert isinstance(await waiting, TooManyAttempts)
    last = await attempt(busy_world.connect, {"a": FIVE})
    assert isinstance(last, gcra.Allowance)
    assert last.remaining == 3


async def test_very_high_limit_allows_attempts(world: World) -> None:
    limits = {"key": Limit(300, 60).scaled(1_000_000)}

    assert not isinstance(await attempt(world.connect, limits), TooManyAttempts)


async def test_reset_refills_a_limit(world: World) -> None:
    for _ in range(5):
        await attempt(world.connect, {"a": FIVE, "b": FIVE})

    async with transaction(world.sessionmaker) as db:
        await gcra.reset_limits(db, ["a", "nobody"], "known", timedelta(1))

    assert isinstance(await attempt(world.connect, {"a": FIVE}), gcra.Allowance)
    assert isinstance(await attempt(world.connect, {"b": FIVE}), TooManyAttempts)


async def test_known_network_is_exempt_from_unknown_network_limits_until_it_expires(world: World) -> None:
    once = {"unknown networks": Limit(1, 3600)}

    async def attempt_from(known: str) -> gcra.Allowance | TooManyAttempts:
        return await attempt(world.connect, {f"limit of {known}": FIVE}, once, known)

    async with transaction(world.sessionmaker) as db:
        await gcra.reset_limits(db, [], "known network", timedelta(seconds=1))
        await gcra.reset_limits(db, [], "known network", timedelta(seconds=60))

    outcomes = [await attempt_from("unknown"), await attempt_from("also unknown"), await attempt_from("known network")]
    await pass_time(world, 60)

    assert [type(each) for each in outcomes] == [gcra.Allowance, TooManyAttempts, gcra.Allowance]
    assert isinstance(await attempt_from("known network"), TooManyAttempts)


@pytest.mark.parametrize(("factor", "attempts"), [(1, 5), (2.5, 12), (0.01, 1)])
def test_scaled_limit_has_at_least_one_attempt(factor: float, attempts: int) -> None:
    assert FIVE.scaled(factor) == Limit(attempts, 60)


async def test_several_attempts_are_consumed_together_or_not_at_all(world: World) -> None:
    async def consume(cost: int) -> gcra.Allowance | TooManyAttempts:
        try:
            async with world.connect() as connection:
                return await gcra.consume(connection, {"key": FIVE, "other": Limit(9, 60)}, cost=cost)
        except TooManyAttempts as refusal:
            return refusal

    outcomes = [await consume(cost) for cost in (3, 3, 2, 1)]

    allowed, refused, rest, exhausted = outcomes
    assert isinstance(allowed, gcra.Allowance)
    assert allowed.remaining == 2
    assert isinstance(refused, TooManyAttempts)
    assert refused.seconds == 12  # until three of five have refilled
    assert isinstance(rest, gcra.Allowance)
    assert isinstance(exhausted, TooManyAttempts)
    assert isinstance(await attempt(world.connect, {"other": Limit(9, 60)}), gcra.Allowance)


async def test_all_attempts_can_be_consumed_together(world: World) -> None:
    async with world.connect() as connection:
        allowance = await gcra.consume(connection, {"key": FIVE}, cost=5)

    assert (allowance.remaining, allowance.reset_seconds) == (0, 60)


async def test_concurrent_attempts_of_several_are_exact(busy_world: World) -> None:
    async def consume() -> bool:
        async with busy_world.connect() as connection:
            try:
                await gcra.consume(connection, {"key": Limit(10, 3600)}, cost=3)
            except TooManyAttempts:
                return False
            return True

    assert sum(await asyncio.gather(*(consume() for _ in range(8)))) == 3


async def test_attempts_write_no_index_while_their_page_has_room(busy_world: World) -> None:
    # A long transaction in any database of the cluster keeps old rows, and so pages fill up.
    written = "SELECT n_tup_upd, n_tup_hot_upd, n_tup_newpage_upd FROM pg_stat_user_tables WHERE relname = 'throttle'"
    async with busy_world.connect() as connection:
        for number in range(300):
            await gcra.consume(connection, {f"key{number % 100}": Limit(1000, 60)})
        await connection.execute("SELECT pg_stat_force_next_flush()")
        updates, hot, without_room = await connection.fetchrow(written)

    assert updates == 200
    assert hot + without_room == updates
    assert hot >= 100


async def test_pages_of_limits_have_room_for_updates(world: World) -> None:
    async with world.connect() as connection:
        options = await connection.fetchval("SELECT reloptions FROM pg_class WHERE relname = 'throttle'")

    assert options == ["fillfactor=70"]
