"""Without its replica the service goes on at the primary, and a request that tries the replica delays no other."""

import asyncio
import socket
from itertools import chain, pairwise
from signal import SIGQUIT
from time import monotonic

import pytest

from accounts.db.replica import SECONDS
from accounts.migrations.roles import ROLE
from accounts.models import Role
from accounts.settings import get_settings
from faults.stack import WORKERS, stack
from support.replica_pair import Pair
from support.standby import frozen
from support.waiting import eventually

pytestmark = pytest.mark.slow(seconds=20)
AT_REPLICA, AT_PRIMARY = ["Arthur"], ["Arthur", "Bors"]
PAUSE = 1.0
SCHEDULING = 0.05  # a timer may end this much early


@pytest.fixture
def short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.db.replica.PAUSE_SECONDS", PAUSE)


async def waits(pair: Pair, path: str, requests: int) -> list[float]:
    """Send requests at once, which the primary has to serve, and return when those began that took ``SECONDS``."""

    async def request() -> float | None:
        began = monotonic()
        assert await pair.names(path) == AT_PRIMARY
        return began if monotonic() - began > SECONDS - SCHEDULING else None

    return [began for began in await asyncio.gather(*[request() for _ in range(requests)]) if began]


async def test_without_the_replica_the_primary_is_read(pair: Pair) -> None:
    path = await pair.two_versions()
    await asyncio.to_thread(pair.standby.stop, SIGQUIT)

    started = monotonic()
    assert [await pair.names(path) for _ in range(3)] == [AT_PRIMARY] * 3

    assert monotonic() - started < SECONDS + 2


@pytest.mark.usefixtures("short_pause")
async def test_a_replica_that_came_back_is_read_again(pair: Pair) -> None:
    path = await pair.two_versions()
    await asyncio.to_thread(pair.standby.stop, SIGQUIT)
    assert await pair.names(path) == AT_PRIMARY

    await asyncio.to_thread(pair.standby.start)
    await pair.pause_replay()
    row = await pair.world.client.get("/user-groups")
    await pair.world.join(row.json()[0]["id"], await pair.world.user("lancelot"), Role.MEMBER)

    async def lacks_the_newest_row() -> bool:
        return "Lancelot" not in await pair.names(path)

    await eventually("the replica is read", lacks_the_newest_row)


@pytest.mark.usefixtures("short_pause")
async def test_while_the_replica_is_silent_one_request_at_a_time_waits_for_it(pair: Pair) -> None:
    path = await pair.two_versions()
    connections = get_settings().database_pool_size

    with frozen(pair.standby):
        assert len(await waits(pair, path, 3 * connections)) == connections
        tasks, deadline = [], monotonic() + 3 * (SECONDS + PAUSE)
        while monotonic() < deadline:
            tasks.append(asyncio.create_task(waits(pair, path, 4)))
            await asyncio.sleep(0.1)
        later = sorted(chain(*await asyncio.gather(*tasks)))

    assert 2 <= len(later) <= 3
    assert all(after - before > SECONDS + PAUSE - SCHEDULING for before, after in pairwise(later))
    await asyncio.sleep(PAUSE)
    assert await pair.names(path) == AT_REPLICA
    assert await asyncio.gather(*[pair.names(path) for _ in range(connections)]) == [AT_REPLICA] * connections


@pytest.mark.parametrize("state", ["silent", "closed"])
async def test_service_starts_and_stops_without_its_replica(databases: list[str], state: str) -> None:
    """At its port the kernel accepts connections that nothing answers, or refuses them."""
    async with stack(databases[0]) as service:
        insert = "INSERT INTO user_group (name, visibility) VALUES ('Round Table', 'public') RETURNING id"
        ((group_id,),) = await service.fetch(insert)
        with socket.socket() as port:
            port.bind(("127.0.0.1", 0))
            if state == "silent":
                port.listen()
            port.setblocking(False)
            url = f"postgresql://{ROLE}@127.0.0.1:{port.getsockname()[1]}/accounts"
            api = service.another_api(DATABASE_READ_URL=url)

            await api.start()
            await api.wait_for("/health/ready")
            if state == "silent":
                with pytest.raises(BlockingIOError):  # nothing has connected to the replica yet
                    port.accept()

            async with api.client() as client:
                answers = await asyncio.gather(*[client.get(f"/user-groups/{group_id}/users") for _ in range(8)])
            assert [(answer.status_code, answer.json()) for answer in answers] == [(200, [])] * 8
            assert sum(answer.elapsed.total_seconds() > SECONDS for answer in answers) <= WORKERS
            assert await api.stop() == 0
