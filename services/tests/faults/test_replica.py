"""Lists at a replica may be stale. Who asks, and what they may see, is what the primary knows."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from signal import SIGQUIT
from time import monotonic

import pytest
from pydantic import SecretStr

from accounts.db.engine import DriverConnection, create_engine
from accounts.db.replica import SECONDS, open_replica
from accounts.db.session import create_sessionmaker
from accounts.migrations.roles import ROLE
from accounts.models import Role, Visibility
from accounts.settings import get_settings
from conftest import world_of
from faults.stack import migrate
from postgres import Cluster, throwaway
from support.people import World
from support.standby import REPLICATED, execute, standby_of
from support.waiting import eventually

pytestmark = pytest.mark.slow(seconds=20)


@dataclass
class Pair:
    """The application on a primary, with a standby as its replica."""

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


@pytest.fixture(scope="module")
def clusters() -> Iterator[tuple[Cluster, Cluster]]:
    with throwaway(REPLICATED) as primary:
        asyncio.run(migrate(primary.url()))
        with standby_of(primary) as standby:
            yield primary, standby


@pytest.fixture
async def pair(clusters: tuple[Cluster, Cluster]) -> AsyncIterator[Pair]:
    primary, standby = clusters
    await execute(primary, 'DELETE FROM user_group; DELETE FROM "user"')
    await asyncio.to_thread(standby.start)
    await execute(standby, "SELECT pg_wal_replay_resume()")
    urls = {"database_url": primary.url(role=ROLE), "database_read_url": standby.url(role=ROLE)}
    settings = get_settings().model_copy(update={name: SecretStr(url) for name, url in urls.items()})
    engine = create_engine(settings, "test")
    connect = partial(DriverConnection, engine)
    async with (
        open_replica(settings) as replica,
        world_of(create_sessionmaker(engine), connect=connect, replica=replica) as world,
    ):
        yield Pair(world, primary, standby)
    await engine.dispose()


async def test_who_has_lost_access_reads_nothing_although_the_replica_does_not_know_it_yet(pair: Pair) -> None:
    world = pair.world
    arthur, bors, lancelot = [await world.user(name) for name in ("arthur", "bors", "lancelot")]
    members = {arthur: Role.OWNER, bors: Role.MEMBER, lancelot: Role.MEMBER}
    group = await world.group("Round Table", Visibility.PRIVATE, members=members)
    path, headers = f"/user-groups/{group.id}/users", {}
    for user in (arthur, bors, lancelot):
        headers[user.display_name] = await world.sign_in(user)
    public = await world.group("Public", members={arthur: Role.OWNER})
    await pair.caught_up(f"/user-groups/{public.id}/users", ["Arthur"])
    await pair.pause_replay()

    (await world.client.post("/auth/jwt/logout", headers=headers["Arthur"])).raise_for_status()
    await execute(pair.primary, "UPDATE \"user\" SET is_active = false WHERE email LIKE 'bors%'")
    await execute(pair.primary, f"DELETE FROM membership WHERE user_id = '{lancelot.id}'")  # noqa: S608  # an id
    answers = {name: await world.client.get(path, headers=headers[name]) for name in headers}

    assert {name: answer.status_code for name, answer in answers.items()} == {
        "Arthur": 404, "Bors": 404, "Lancelot": 404,
    }  # fmt: skip
    again = await world.sign_in(arthur)
    assert await pair.names(path, again) == ["Arthur", "Bors", "Lancelot"]  # the rows are those of the replica


async def test_a_group_that_became_private_is_hidden_at_once(pair: Pair) -> None:
    world = pair.world
    group = await world.group("Round Table", members={await world.user("arthur"): Role.OWNER})
    path = f"/user-groups/{group.id}/users"
    await pair.caught_up(path, ["Arthur"])
    await pair.pause_replay()

    await execute(pair.primary, "UPDATE user_group SET visibility = 'private'")

    assert (await world.client.get(path)).status_code == 404


async def test_a_user_and_a_group_that_the_replica_does_not_know_are_served(pair: Pair) -> None:
    world = pair.world
    await world.group("Round Table")
    await pair.caught_up("/user-groups", ["Round Table"])
    await pair.pause_replay()

    headers = await world.sign_in(await world.user("galahad", superuser=True))
    created = await world.client.post("/user-groups", json={"name": "Grail"}, headers=headers)

    assert await pair.names("/users/me/groups", headers) == ["Grail"]
    assert (await world.client.get("/users/me", headers=headers)).json()["display_name"] == "Galahad"
    assert await pair.names(f"/user-groups/{created.json()['id']}/users", headers) == []
    assert await pair.names("/users", headers) == []
    await execute(pair.standby, "SELECT pg_wal_replay_resume()")
    await pair.caught_up("/users", ["Galahad"], headers)


async def test_without_the_replica_the_primary_is_read(pair: Pair) -> None:
    world = pair.world
    await world.group("Round Table")
    await pair.caught_up("/user-groups", ["Round Table"])
    await asyncio.to_thread(pair.standby.stop, SIGQUIT)
    await world.group("Grail")

    started = monotonic()
    names = [await pair.names("/user-groups") for _ in range(3)]

    assert names == [["Grail", "Round Table"]] * 3
    assert monotonic() - started < SECONDS + 2


async def test_a_replica_that_came_back_is_read_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.db.replica.PAUSE_SECONDS", 0.5)
    await pair.world.group("Round Table")
    await pair.caught_up("/user-groups", ["Round Table"])
    await asyncio.to_thread(pair.standby.stop, SIGQUIT)
    assert await pair.names("/user-groups") == ["Round Table"]

    await asyncio.to_thread(pair.standby.start)
    await asyncio.sleep(1)
    await pair.pause_replay()
    await pair.world.group("Grail")

    assert await pair.names("/user-groups") == ["Round Table"]
