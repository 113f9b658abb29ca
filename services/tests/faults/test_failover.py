"""Failover to a synchronous standby: no acknowledged write is lost, and writes are back soon."""

import asyncio
from collections.abc import Callable, Iterator
from signal import SIGINT, SIGQUIT

import pytest

from accounts.migrations.roles import ROLE
from accounts.models import MailKind, Role
from faults.stack import migrate
from postgres import Cluster, throwaway
from support.people import World
from support.replica_pair import reading_at
from support.standby import REPLICATED, execute, freeze, frozen, promote, standby_of, thaw
from support.waiting import eventually
from support.writes import names, serving, writing

pytestmark = pytest.mark.slow(seconds=60)
BACK_WITHIN = 15.0  # 9.5 on a quiet machine; a busy one must not decide


@pytest.fixture
def primary() -> Iterator[Cluster]:
    with throwaway(REPLICATED) as cluster:
        yield cluster


@pytest.fixture
def standby(primary: Cluster) -> Iterator[Cluster]:
    asyncio.run(migrate(primary.url()))
    with standby_of(primary) as standby:
        asyncio.run(execute(primary, "ALTER SYSTEM SET synchronous_standby_names = '*'"))
        asyncio.run(execute(primary, "SELECT pg_reload_conf()"))
        yield standby


async def crash(primary: Cluster) -> None:
    await asyncio.to_thread(primary.stop, SIGQUIT)


async def switch_over(primary: Cluster) -> None:
    await asyncio.to_thread(primary.stop, SIGINT)


async def hang(primary: Cluster) -> None:
    await asyncio.to_thread(freeze, primary)


async def post(world: World, headers: dict[str, str], name: str) -> tuple[int, float]:
    """Create a group, and return the status of the answer, and after how many seconds it came."""
    answer = await world.client.post("/user-groups", json={"name": name}, headers=headers)
    return answer.status_code, answer.elapsed.total_seconds()


@pytest.mark.parametrize("fail", [crash, switch_over, hang])
async def test_writes_are_back_at_the_promoted_standby_and_none_is_lost(
    primary: Cluster, standby: Cluster, fail: Callable[[Cluster], object]
) -> None:
    async with writing(primary, standby) as writes:
        await fail(primary)  # type: ignore[misc]  # each is a coroutine function
        await asyncio.sleep(1)  # until whatever watches the primary has noticed
        await promote(standby)
        await writes.more(5)
    try:
        assert writes.longest_gap < BACK_WITHIN
        assert set(writes.acknowledged) <= await names(standby)
    finally:
        if fail is hang:
            thaw(primary)
    print(f"{fail.__name__}: {writes.longest_gap:.1f} s, {len(writes.acknowledged)} acknowledged")


async def test_old_primary_that_waits_for_its_standby_acknowledges_no_write(primary: Cluster, standby: Cluster) -> None:
    """A process that starts then finds it first. It reads what was there before the failover, and cannot write."""
    async with writing(primary, standby) as writes:
        ended = await writes.world.sign_in("arthur@camelot.example.com")
        with frozen(primary):
            await promote(standby)
            await writes.more(2)
        (await writes.world.client.post("/auth/jwt/logout", headers=ended)).raise_for_status()
        async with serving(primary, standby) as started:
            stale = [await started.client.get(path, headers=ended) for path in ("/users/me", "/health/ready")]
            refused = [await post(started, writes.headers, name) for name in ("Lost", "Lost, too")]
            await asyncio.to_thread(primary.stop, SIGINT)
            stored, _ = await post(started, writes.headers, "Found")
            current = await started.client.get("/users/me", headers=ended)
        await writes.more(2)

    assert [answer.status_code for answer in stale] == [200, 200]
    assert [status for status, _ in refused] == [503, 503]
    assert max(seconds for _, seconds in refused) < BACK_WITHIN
    assert (stored, current.status_code) == (201, 401)
    assert {*writes.acknowledged, "Found"} <= await names(standby)
    await asyncio.to_thread(primary.start)
    print("The old primary has what it did not acknowledge:", await names(primary) - await names(standby))
    print("Seconds until 503:", [seconds for _, seconds in refused])


async def test_requested_token_waits_for_no_standby_and_can_be_requested_again(
    primary: Cluster, standby: Cluster
) -> None:
    async with serving(primary, standby) as world:
        headers = await world.sign_in(await world.user("arthur"))
        await asyncio.to_thread(standby.stop, SIGQUIT)
        assert await request_reset(world) == 202
        status, _ = await post(world, headers, "Round Table")
        assert status == 503
        await crash(primary)
        await asyncio.to_thread(standby.start)
        await promote(standby)

        async def accepted() -> bool:
            return await request_reset(world) == 202

        await eventually("a token is requested again", accepted)
        assert len(await world.mails(MailKind.RESET)) == 1  # the first one is lost


async def request_reset(world: World) -> int:
    answer = await world.client.post("/auth/forgot-password", json={"email": "arthur@camelot.example.com"})
    return answer.status_code


async def test_the_service_stays_with_the_new_primary_when_the_old_one_is_started_again(
    primary: Cluster, standby: Cluster
) -> None:
    """Until the process ends: then it would begin with the first host, so an old primary has to become a standby."""
    async with writing(primary, standby) as writes:
        await crash(primary)
        await promote(standby)
        await writes.more(2)
        await asyncio.to_thread(primary.start)
        before = await names(primary)

        await execute(standby, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'")  # noqa: S608  # a constant
        await writes.more(5)

        assert await names(primary) == before
        assert set(writes.acknowledged) <= await names(standby)


async def test_old_primary_is_no_replica_of_the_new_one(
    primary: Cluster, standby: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """After the failover both number their groups from the same start, so one id may name two groups."""
    await promote(standby)
    async with reading_at(primary, standby) as pair:
        group = await pair.world.group("Round Table", members={await pair.world.user("arthur"): Role.OWNER})
        assert await pair.names(f"/user-groups/{group.id}/users") == ["Arthur"]

    assert "NotAStandbyError" in caplog.text
