"""The application on a primary, with a standby as its replica."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from pydantic import SecretStr

from accounts.db.engine import DriverConnection, create_engine
from accounts.db.replica import open_replica
from accounts.db.session import create_sessionmaker
from accounts.migrations.roles import ROLE
from accounts.models import Role
from accounts.settings import get_settings
from conftest import world_of
from postgres import Cluster
from support.people import World
from support.standby import execute
from support.waiting import eventually


@dataclass
class Pair:
    """The application, and the two servers that it reads."""

    world: World
    primary: Cluster
    standby: Cluster

    async def names(self, path: str, headers: dict[str, str] | None = None) -> list[str]:
        answer = await self.world.client.get(path, headers=headers or {})
        assert answer.status_code == 200, answer.text
        return [each.get("display_name") or each["name"] for each in answer.json()]

    async def caught_up(self, path: str, expected: list[str], headers: dict[str, str] | None = None) -> None:
        """Wait until the replica knows the rows of a list."""

        async def knows() -> bool:
            return await self.names(path, headers) == expected

        await eventually(f"the replica knows {expected}", knows)

    async def pause_replay(self) -> None:
        await execute(self.standby, "SELECT pg_wal_replay_pause()")

    async def two_versions(self) -> str:
        """Return the path of a list in which only the primary has Bors. Arthur is in it at both servers."""
        arthur, bors = [await self.world.user(name) for name in ("arthur", "bors")]
        group = await self.world.group("Round Table", members={arthur: Role.OWNER})
        path = f"/user-groups/{group.id}/users"
        await self.caught_up(path, ["Arthur"])
        await self.pause_replay()
        await self.world.join(group.id, bors, Role.MEMBER)
        return path


@asynccontextmanager
async def reading_at(replica: Cluster, primary: Cluster) -> AsyncIterator[Pair]:
    """Serve the application on the primary, and read lists at the replica."""
    urls = {"database_url": primary.url(role=ROLE), "database_read_url": replica.url(role=ROLE)}
    settings = get_settings().model_copy(update={name: SecretStr(url) for name, url in urls.items()})
    engine = create_engine(settings, "test")
    connect = partial(DriverConnection, engine)
    async with (
        open_replica(settings) as opened,
        world_of(create_sessionmaker(engine), connect=connect, replica=opened) as world,
    ):
        yield Pair(world, primary, replica)
    await engine.dispose()
