"""Writes through the application all the time, while its databases fail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
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
from postgres import Cluster
from postgres_host import PORT
from support.people import World
from support.waiting import eventually

PAUSE = 0.25  # between two writes: fewer than the rate limit


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


@asynccontextmanager
async def serving(*hosts: Cluster) -> AsyncIterator[World]:
    """Serve the application on clusters of which one accepts writes, as a process that starts now."""
    sockets = ",".join(quote(str(each.sockets), safe="/") for each in hosts)
    ports = ",".join([str(PORT)] * len(hosts))
    url = f"postgresql://{ROLE}@/accounts?host={sockets}&port={ports}&target_session_attrs=read-write"
    settings = get_settings().model_copy(update={"database_url": SecretStr(url)})
    engine = create_engine(settings, "test", COMMAND_SECONDS)
    async with world_of(create_sessionmaker(engine), connect=partial(DriverConnection, engine)) as world:
        yield world
    await engine.dispose()


@asynccontextmanager
async def writing(*hosts: Cluster) -> AsyncIterator[Writes]:
    """Serve the application on clusters of which one accepts writes, and write all the time."""
    async with serving(*hosts) as world:
        writes = Writes(world, await world.sign_in(await world.user("arthur")))
        task = asyncio.create_task(writes.run())
        await writes.more(5)
        yield writes
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def names(cluster: Cluster) -> set[str]:
    connection = await asyncpg.connect(cluster.url())
    rows = await connection.fetch("SELECT name FROM user_group")
    await connection.close()
    return {name for (name,) in rows}
