"""Failover to a synchronous standby: no acknowledged write is lost, and writes are back soon."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from urllib.parse import quote

import asyncpg
import pytest
from pydantic import SecretStr

from accounts.db.engine import COMMAND_SECONDS, DriverConnection, create_engine
from accounts.db.session import create_sessionmaker
from accounts.migrations.roles import ROLE
from accounts.settings import get_settings
from conftest import world_of
from faults.stack import migrate
from postgres import Cluster, throwaway
from postgres_host import PORT
from support.people import World
from support.standby import REPLICATED, execute, standby_of
from support.waiting import eventually

pytestmark = pytest.mark.slow(seconds=40)
PAUSE = 0.25  # between two writes: fewer than the rate limit
BACK_WITHIN = 15.0  # 9.5 on a quiet machine; a busy one must not decide


@dataclass
class Writes:
    """Groups that a client creates one after the other, and which of them the service acknowledged."""

    world: World
    headers: dict[str, str]
    acknowledged: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    async def run(self) -> None:
        number = 0
        while True:
            number += 1
            answer = await self.world.client.post(
                "/user-groups", json={"name": f"Group {number}"}, headers=self.headers
            )
            assert answer.status_code in {201, 503}, answer.text
            if answer.status_code == 201:
                self.acknowledged.append(f"Group {number}")
                self.times.append(monotonic())
            await asyncio.sleep(PAUSE)

    async def more(self, writes: int) -> None:
        """Wait for so many more acknowledged writes."""
        enough = len(self.acknowledged) + writes
        await eventually(f"{writes} more writes", lambda: len(self.acknowledged) >= enough)

    @property
    def longest_gap(self) -> float:
        return max(after - before for before, after in zip(self.times, self.times[1:], strict=False))


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


@asynccontextmanager
async def writing(*hosts: Cluster) -> AsyncIterator[Writes]:
    """Serve the application on clusters of which one accepts writes, and write all the time."""
    sockets = ",".join(quote(str(each.sockets), safe="/") for each in hosts)
    ports = ",".join([str(PORT)] * len(hosts))
    url = f"postgresql://{ROLE}@/accounts?host={sockets}&port={ports}&target_session_attrs=read-write"
    settings = get_settings().model_copy(update={"database_url": SecretStr(url)})
    engine = create_engine(settings, "test", COMMAND_SECONDS)
    async with world_of(create_sessionmaker(engine), connect=partial(DriverConnection, engine)) as world:
        writes = Writes(world, await world.sign_in(await world.user("arthur")))
        task = asyncio.create_task(writes.run())
        await writes.more(5)
        yield writes
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await engine.dispose()


async def names(cluster: Cluster) -> set[str]:
    connection = await asyncpg.connect(cluster.url())
    rows = await connection.fetch("SELECT name FROM user_group")
    await connection.close()
    return {name for (name,) in rows}


async def promote(standby: Cluster) -> None:
    await execute(standby, "SELECT pg_promote()")


def processes(cluster: Cluster) -> list[int]:
    """Return the process ids of a server, its main process first."""
    main = int((cluster.data / "postmaster.pid").read_text().split()[0])
    children = [task.read_text().split() for task in Path(f"/proc/{main}/task").glob("*/children")]
    return [main, *(int(pid) for pids in children for pid in pids)]


def send(number: signal.Signals, cluster: Cluster) -> None:
    for pid in processes(cluster):
        os.kill(pid, number)


async def crash(primary: Cluster) -> None:
    await asyncio.to_thread(primary.stop, signal.SIGQUIT)


async def switch_over(primary: Cluster) -> None:
    await asyncio.to_thread(primary.stop, signal.SIGINT)


async def freeze(primary: Cluster) -> None:
    """Let a server keep its connections, and answer nothing, as one whose machine or network hangs."""
    await asyncio.to_thread(send, signal.SIGSTOP, primary)


@pytest.mark.parametrize("fail", [crash, switch_over, freeze])
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
        if fail is freeze:
            send(signal.SIGCONT, primary)
    print(f"{fail.__name__}: {writes.longest_gap:.1f} s, {len(writes.acknowledged)} acknowledged")


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
