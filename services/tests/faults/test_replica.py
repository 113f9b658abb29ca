"""Lists at a replica may be stale. Who asks, and what they may see, is what the primary knows."""

import asyncio
from collections.abc import Iterator
from functools import partial

import asyncpg
import pytest
from pydantic import SecretStr

from accounts.db.engine import DriverConnection, create_engine
from accounts.db.replica import Replica, open_replica
from accounts.models import Role, Visibility
from accounts.settings import get_settings
from postgres import Cluster, throwaway
from support.replica_pair import Pair
from support.standby import execute
from support.waiting import eventually

pytestmark = pytest.mark.slow(seconds=20)


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
    path = await pair.two_versions()
    assert await pair.names("/user-groups") == ["Round Table"]

    await execute(pair.primary, "UPDATE user_group SET visibility = 'private'")

    assert (await world.client.get(path)).status_code == 404
    assert await pair.names("/user-groups") == []


async def test_a_superuser_who_was_demoted_reads_no_user(pair: Pair) -> None:
    headers = await pair.world.sign_in(await pair.world.user("merlin", superuser=True))
    await pair.caught_up("/users", ["Merlin"], headers)
    await pair.pause_replay()

    await execute(pair.primary, 'UPDATE "user" SET is_superuser = false')

    assert (await pair.world.client.get("/users", headers=headers)).status_code == 403


async def test_a_user_and_a_group_that_the_replica_does_not_know_are_served(pair: Pair) -> None:
    world = pair.world
    await pair.two_versions()

    headers = await world.sign_in(await world.user("galahad", superuser=True))
    created = await world.client.post("/user-groups", json={"name": "Grail"}, headers=headers)

    assert await pair.names("/users/me/groups", headers) == ["Grail"]
    assert (await world.client.get("/users/me", headers=headers)).json()["display_name"] == "Galahad"
    assert await pair.names(f"/user-groups/{created.json()['id']}/users", headers) == []
    assert await pair.names("/users", headers) == ["Arthur", "Bors"]
    await execute(pair.standby, "SELECT pg_wal_replay_resume()")
    await pair.caught_up("/users", ["Arthur", "Bors", "Galahad"], headers)


@pytest.mark.parametrize("search", ["", "&name=ga"])
async def test_pages_that_are_read_at_different_servers_lose_no_row_that_both_know(pair: Pair, search: str) -> None:
    """A cursor is a key of the list and names are in the order of code points, so each server finds the next row."""
    world = pair.world
    known = ["Gareth", "Gaheris", "Galahad", "Gäste", "Gawain"]
    group = await world.group("Round Table", members={await world.user(name): Role.MEMBER for name in known})
    path = f"/user-groups/{group.id}/users"
    await pair.caught_up(path, known)
    await pair.pause_replay()
    await world.join(group.id, await world.user("gaunes"), Role.MEMBER)
    servers = [world.state["replica"], Replica()]

    names: list[str] = []
    page = f"{path}?limit=1{search}"
    while page:
        world.state["replica"] = servers[len(names) % 2]
        answer = await world.client.get(page)
        names += [row["display_name"] for row in answer.json()]
        page = answer.links.get("next", {}).get("url", "")

    expected = sorted(name for name in known if name.lower().startswith("ga")) if search else known
    assert [name for name in names if name != "Gaunes"] == expected


async def is_standby(db: asyncpg.Connection) -> bool:
    return bool(await db.fetchval("SELECT pg_is_in_recovery()"))


async def test_query_that_the_replica_cancels_is_repeated_at_the_primary_and_the_next_one_is_not(pair: Pair) -> None:
    await pair.world.user("arthur")
    replica, primary = pair.world.state["replica"], pair.world.connect
    running = asyncio.Event()

    async def slow(db: asyncpg.Connection) -> bool:
        if found := await is_standby(db):
            asyncio.get_running_loop().call_later(0.2, running.set)
            await db.fetch('SELECT id, pg_sleep(10) FROM "user"')
        return found

    async def knows_arthur(db: asyncpg.Connection) -> bool:
        return bool(await db.fetchval('SELECT count(*) FROM "user"')) and await is_standby(db)

    await eventually("the replica has the row", partial(replica.read, primary, knows_arthur))
    await execute(pair.standby, "ALTER SYSTEM SET max_standby_streaming_delay = 0")
    await execute(pair.standby, "SELECT pg_reload_conf()")
    reading = asyncio.create_task(replica.read(primary, slow))
    await running.wait()
    await execute(pair.primary, 'DELETE FROM "user"')
    await execute(pair.primary, 'VACUUM "user"')

    assert not await reading
    assert await replica.read(primary, is_standby)


@pytest.fixture
def another_primary() -> Iterator[Cluster]:
    with throwaway() as cluster:
        yield cluster


async def test_standby_of_another_server_is_no_replica(
    clusters: tuple[Cluster, Cluster], another_primary: Cluster
) -> None:
    urls = {"database_url": another_primary.url(), "database_read_url": clusters[1].url()}
    settings = get_settings().model_copy(update={name: SecretStr(url) for name, url in urls.items()})
    engine = create_engine(settings, "test")

    async with open_replica(settings) as replica:
        assert not await replica.read(partial(DriverConnection, engine), is_standby)
    await engine.dispose()
