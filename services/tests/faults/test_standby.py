"""A standby in recovery: it answers reads, refuses everything else as a read-only server does, and can be promoted."""

from collections.abc import Iterator

import asyncpg
import pytest

from faults.stack import migrate
from postgres import Cluster, throwaway
from support.people import PASSWORD, World
from support.standby import REPLICATED, execute, served, standby_of

pytestmark = pytest.mark.slow(seconds=15)
SIGN_IN = {"username": "arthur@camelot.example.com", "password": PASSWORD}


@pytest.fixture
def primary() -> Iterator[Cluster]:
    with throwaway(REPLICATED) as cluster:
        yield cluster


async def test_standby_answers_reads_and_is_unavailable_for_the_rest_until_it_is_promoted(primary: Cluster) -> None:
    await migrate(primary.url())
    async with served(primary) as world:
        person = {"email": SIGN_IN["username"], "password": PASSWORD}
        (await world.client.post("/auth/register", json=person)).raise_for_status()
    with standby_of(primary) as standby:
        async with served(standby) as world:
            paths = ("/user-groups", "/health/live", "/health/ready")
            assert [(await world.client.get(path)).status_code for path in paths] == [200, 200, 503]
            assert (await world.client.get("/health/ready")).json()["reason"] == "The database is read-only."
            refused = await world.client.post("/auth/jwt/login", data=SIGN_IN)
            assert (refused.status_code, "Retry-After" in refused.headers) == (503, True)
            assert await pid(world) != await pid_after_a_refusal(world)

            await execute(standby, "SELECT pg_promote()")
            assert (await world.client.post("/auth/jwt/login", data=SIGN_IN)).status_code == 200
            assert (await world.client.get("/health/ready")).status_code == 200


async def pid(world: World) -> int:
    async with world.connect() as connection:
        return int(connection.get_server_pid())


async def pid_after_a_refusal(world: World) -> int:
    with pytest.raises(asyncpg.FeatureNotSupportedError, match="unlogged"):
        async with world.connect() as connection:
            await connection.fetch("SELECT FROM throttle")
    return await pid(world)
