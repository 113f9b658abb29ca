"""The service is stopped under load, and one of its workers is killed."""

import asyncio
import os
from asyncio import StreamWriter
from signal import SIGKILL

import pytest

from faults.clients import Clients
from faults.run import BOUND
from faults.stack import Api, Stack, stack
from support.processes import children
from support.waiting import POLL, eventually

pytestmark = pytest.mark.slow
LOGINS = 8
IDLE = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HALF_A_HEAD = b"GET /user-groups HTTP/1.1\r\nHost: 127.0.0.1\r\n"
HALF_A_BODY = (
    b"POST /auth/register HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
)
WAITING = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def test_api_stops_in_time_whatever_connections_are_open(databases: list[str]) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(stops_with_open_requests(databases[0]))
        group.create_task(stops_without_a_database(databases[1]))


async def stops_with_open_requests(url: str) -> None:
    """Eight clients are signing in, some hold a connection, and some have sent half of a request."""
    async with stack(url) as running, running.api.client() as client:
        clients = await start(running, Clients(client))
        kept = [await opened(running.api, request) for request in (IDLE, HALF_A_HEAD, HALF_A_BODY)]
        holder = await running.database()
        async with holder.transaction():
            await holder.execute("LOCK TABLE user_session IN SHARE MODE")  # no session can start meanwhile
            logins = [asyncio.create_task(clients.record(clients.login)) for _ in range(LOGINS)]
            await eventually("all sign-ins wait for a lock", lambda: all_wait(running))
            stopping = asyncio.create_task(running.api.stop())
            await eventually("the API refuses connections", lambda: refuses(running.api))
        await holder.close()

        assert await asyncio.gather(*logins) == ["200"] * LOGINS
        assert await stopping == 0
        for writer in kept:
            writer.close()


async def stops_without_a_database(url: str) -> None:
    """Requests wait for a database that does not answer any more."""
    async with stack(url) as running, running.api.client() as client:
        clients = await start(running, Clients(client))
        running.proxy.swallow()
        requests = [asyncio.create_task(clients.request(number)) for number in range(LOGINS)]
        await asyncio.sleep(0.5)

        assert await running.api.stop() == 0
        assert set(await asyncio.gather(*requests)) == {"503"}


async def test_killed_worker_is_replaced_while_others_serve(owned_database: str) -> None:
    async with stack(owned_database) as running:
        await running.api.start()
        await running.api.wait_for("/health/ready")
        killed, *others = before = children(running.api.process.pid)

        os.kill(killed, SIGKILL)
        async with asyncio.timeout(BOUND):
            while len(after := children(running.api.process.pid) - {killed}) < len(before):
                async with running.api.client() as client:
                    assert (await client.get("/user-groups")).status_code == 200
                await asyncio.sleep(POLL)

        assert after >= set(others)
        assert await running.api.stop() == 0


async def start(running: Stack, clients: Clients) -> Clients:
    await running.api.start()
    await running.api.wait_for("/health/ready")
    await clients.begin()
    return clients


async def opened(api: Api, request: bytes) -> StreamWriter:
    _, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(request)
    return writer


async def all_wait(running: Stack) -> bool:
    return len(await running.fetch(WAITING)) == LOGINS


async def refuses(api: Api) -> bool:
    try:
        (await opened(api, b"")).close()
    except ConnectionError:
        return True
    return False
