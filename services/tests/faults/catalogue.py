"""What can go wrong with a database, one function each; what clients saw is noted by ``Clients``."""

import asyncio
from collections.abc import Awaitable, Callable
from signal import SIGINT, SIGQUIT, Signals

from faults.clients import Clients
from faults.stack import Stack
from support.waiting import eventually

Fault = Callable[[Stack, Clients], Awaitable[float]]
BUSY = (
    "SELECT FROM pg_stat_activity WHERE usename = 'accounts_api' AND state <> 'idle' AND datname = current_database()"
)
LIMIT = "ALTER ROLE accounts_api CONNECTION LIMIT {}"


async def away(stack: Stack, clients: Clients) -> float:
    """There is no database when the service starts."""
    await stack.proxy.refuse()
    await stack.api.start()
    await stack.api.answers("/health/live")
    paths = {"/health/live": "200", "/health/ready": "503", "/user-groups": "503"}
    assert {path: await clients.get(path) for path in paths} == paths
    await stack.proxy.accept()
    return await stack.api.answers("/health/ready")


async def refused(stack: Stack, clients: Clients) -> float:
    """The database's port refuses connections."""
    async with clients.working():
        await stack.proxy.refuse()
        await asyncio.sleep(1)
        await stack.proxy.accept()
        return await clients.recovered()


async def _restarted(stack: Stack, clients: Clients, signal: Signals) -> float:
    async with clients.working():
        await asyncio.sleep(0.5)
        await asyncio.to_thread(stack.cluster.stop, signal)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(stack.cluster.start)
        return await clients.recovered()


async def restarted(stack: Stack, clients: Clients) -> float:
    """PostgreSQL is restarted, and ends its sessions (fast)."""
    return await _restarted(stack, clients, SIGINT)


async def crashed(stack: Stack, clients: Clients) -> float:
    """PostgreSQL ends at once (immediate), and recovers from its log."""
    return await _restarted(stack, clients, SIGQUIT)


async def reset(stack: Stack, clients: Clients) -> float:
    """All idle connections are reset."""
    await clients.at_once([clients.write] * 20)
    stack.proxy.reset()
    await asyncio.sleep(0.1)
    return await clients.recovered()


async def reset_in_use(stack: Stack, clients: Clients) -> float:
    """All connections are reset ten times a second while they are used."""
    async with clients.working():
        for _ in range(10):
            await asyncio.sleep(0.1)
            stack.proxy.reset()
        return await clients.recovered()


async def swallowed(stack: Stack, clients: Clients) -> float:
    """A black hole: the network swallows everything, on connections that are there and on new ones."""
    async with clients.working():
        await asyncio.sleep(0.5)
        stack.proxy.swallow()
        await asyncio.sleep(8)
        stack.proxy.heal()
        return await clients.recovered()


async def slow(stack: Stack, clients: Clients) -> float:
    """Each round trip takes 200 ms, and 60 requests come at once."""
    stack.proxy.delay = 0.2
    await asyncio.gather(*map(clients.do, range(60)))
    stack.proxy.delay = 0
    return await clients.recovered()


async def exhausted(stack: Stack, clients: Clients) -> float:
    """40 requests wait for a lock of one row, and take all connections of the pool."""
    holder = await stack.database()
    async with clients.working(2):
        async with holder.transaction():
            await holder.execute('SELECT FROM "user" FOR UPDATE')
            await clients.at_once([clients.write] * 40)
        recovered = await clients.recovered()
    await holder.close()
    return recovered


async def locked(stack: Stack, clients: Clients) -> float:
    """Another transaction locks the table of users for longer than a request may wait."""
    holder = await stack.database()
    async with holder.transaction():
        await holder.execute('LOCK TABLE "user"')
        await asyncio.gather(*map(clients.do, range(6)))
    await holder.close()
    return await clients.recovered()


async def read_only(stack: Stack, clients: Clients) -> float:
    """The server has become one that only reads, as after a failover; then its name leads to the new one."""
    async with clients.working():
        await stack.fetch("ALTER SYSTEM SET default_transaction_read_only = on")
        await stack.fetch("SELECT pg_reload_conf()")
        await asyncio.sleep(1)
        # For sessions to come. Those that are there would go on reading for ever.
        await stack.fetch("ALTER ROLE accounts_api SET default_transaction_read_only = off")
        recovered = await clients.recovered()
    await stack.fetch("ALTER SYSTEM RESET default_transaction_read_only")
    await stack.fetch("SELECT pg_reload_conf()")
    return recovered


async def no_connections(stack: Stack, clients: Clients) -> float:
    """PostgreSQL accepts no more connections (53300), and those of the pool are lost."""
    await stack.fetch(LIMIT.format(0))
    async with clients.working():
        stack.proxy.reset()
        await asyncio.sleep(1)
        await stack.fetch(LIMIT.format(-1))
        return await clients.recovered()


async def answer_lost(stack: Stack, clients: Clients) -> float:
    """A COMMIT is done, and its answer is lost."""
    stack.proxy.lose_commit = True
    clients.seen.expected = {"409"}
    name = {"name": "Grail", "visibility": "public"}
    kinds = [await clients.note(lambda: clients.client.post("/user-groups", json=name)) for _ in range(2)]
    (stored,) = await stack.fetch("SELECT count(*) FROM user_group WHERE name = 'Grail'")
    assert (kinds, stored["count"]) == (["503", "409"], 1)
    return await clients.recovered()


async def hung_up(stack: Stack, clients: Clients) -> float:
    """40 clients hang up in the middle of their requests."""
    holder = await stack.database()
    async with holder.transaction():
        await holder.execute('SELECT FROM "user" FOR UPDATE')
        async with stack.api.client() as others:
            others.headers.update(clients.client.headers)
            requests = [asyncio.create_task(others.post("/user-groups", json={"name": "x"})) for _ in range(40)]
            await asyncio.sleep(0.5)
            for each in requests:
                each.cancel()
            await asyncio.wait(requests)
    await holder.close()

    async def all_idle() -> bool:
        return not await stack.fetch(BUSY)

    await eventually("no cancelled request keeps a connection or a transaction", all_idle)
    return await clients.recovered()


# Side by side they take half of the time, most of which is waiting. The first lane has a cluster to itself.
LANES: tuple[tuple[Fault, ...], ...] = (
    (away, refused, restarted, crashed, reset, reset_in_use, read_only, no_connections, answer_lost, hung_up),
    (away, swallowed, locked),
    (away, slow, exhausted),
)
FAULTS = tuple(dict.fromkeys(fault for lane in LANES for fault in lane))
