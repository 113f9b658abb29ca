"""Faults of the database, one function each. It returns the seconds until recovery; ``Clients`` counts responses."""

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
    """No database when the service starts."""
    await stack.proxy.refuse()
    await stack.api.start()
    await stack.api.wait_for("/health/live")
    paths = {"/health/live": "200", "/health/ready": "503", "/user-groups": "503"}
    assert {path: await clients.get(path) for path in paths} == paths
    await stack.proxy.accept()
    return await stack.api.wait_for("/health/ready")


async def refused(stack: Stack, clients: Clients) -> float:
    """The database's port is closed."""
    async with clients.load():
        await stack.proxy.refuse()
        await asyncio.sleep(1)
        await stack.proxy.accept()
        return await clients.recovered()


async def _restarted(stack: Stack, clients: Clients, signal: Signals) -> float:
    async with clients.load():
        await asyncio.sleep(0.5)
        await asyncio.to_thread(stack.cluster.stop, signal)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(stack.cluster.start)
        return await clients.recovered()


async def restarted(stack: Stack, clients: Clients) -> float:
    """PostgreSQL restarts and ends its sessions (fast)."""
    return await _restarted(stack, clients, SIGINT)


async def crashed(stack: Stack, clients: Clients) -> float:
    """PostgreSQL ends at once (immediate) and recovers from its log."""
    return await _restarted(stack, clients, SIGQUIT)


async def reset(stack: Stack, clients: Clients) -> float:
    """All idle connections are reset."""
    await clients.at_once([clients.write] * 20)
    stack.proxy.reset()
    await asyncio.sleep(0.1)
    return await clients.recovered()


async def reset_in_use(stack: Stack, clients: Clients) -> float:
    """All connections are reset ten times a second while in use."""
    async with clients.load():
        for _ in range(10):
            await asyncio.sleep(0.1)
            stack.proxy.reset()
        return await clients.recovered()


async def swallowed(stack: Stack, clients: Clients) -> float:
    """The network swallows everything, on old and new connections."""
    async with clients.load():
        await asyncio.sleep(0.5)
        stack.proxy.swallow()
        await asyncio.sleep(8)
        stack.proxy.heal()
        return await clients.recovered()


async def slow(stack: Stack, clients: Clients) -> float:
    """Each round trip takes 200 ms, and 60 requests come at once."""
    stack.proxy.delay = 0.2
    await asyncio.gather(*map(clients.request, range(60)))
    stack.proxy.delay = 0
    return await clients.recovered()


async def exhausted(stack: Stack, clients: Clients) -> float:
    """40 requests wait for one row's lock and take all connections."""
    holder = await stack.database()
    async with clients.load(2):
        async with holder.transaction():
            await holder.execute('SELECT FROM "user" FOR UPDATE')
            await clients.at_once([clients.write] * 40)
        recovered = await clients.recovered()
    await holder.close()
    return recovered


async def locked(stack: Stack, clients: Clients) -> float:
    """A lock on the user table is held longer than a request may wait."""
    holder = await stack.database()
    async with holder.transaction():
        await holder.execute('LOCK TABLE "user"')
        await asyncio.gather(*map(clients.request, range(6)))
    await holder.close()
    return await clients.recovered()


async def read_only(stack: Stack, clients: Clients) -> float:
    """The server becomes read-only, as after a failover, then its name leads to a new one."""
    async with clients.load():
        await stack.fetch("ALTER SYSTEM SET default_transaction_read_only = on")
        await stack.fetch("SELECT pg_reload_conf()")
        await asyncio.sleep(1)
        # Applies to new sessions only: existing ones stay read-only.
        await stack.fetch("ALTER ROLE accounts_api SET default_transaction_read_only = off")
        recovered = await clients.recovered()
    await stack.fetch("ALTER SYSTEM RESET default_transaction_read_only")
    await stack.fetch("SELECT pg_reload_conf()")
    return recovered


async def no_connections(stack: Stack, clients: Clients) -> float:
    """PostgreSQL accepts no more connections (53300), and the pool's are lost."""
    await stack.fetch(LIMIT.format(0))
    async with clients.load():
        stack.proxy.reset()
        await asyncio.sleep(1)
        await stack.fetch(LIMIT.format(-1))
        return await clients.recovered()


async def answer_lost(stack: Stack, clients: Clients) -> float:
    """A COMMIT succeeds, and its answer is lost."""
    stack.proxy.lose_commit = True
    clients.seen.expected = {"409"}
    name = {"name": "Grail", "visibility": "public"}
    kinds = [await clients.record(lambda: clients.client.post("/user-groups", json=name)) for _ in range(2)]
    (stored,) = await stack.fetch("SELECT count(*) FROM user_group WHERE name = 'Grail'")
    assert (kinds, stored["count"]) == (["503", "409"], 1)
    return await clients.recovered()


async def hung_up(stack: Stack, clients: Clients) -> float:
    """40 clients disconnect in the middle of their requests."""
    holder = await stack.database()
    async with holder.transaction():
        await holder.execute('SELECT FROM "user" FOR UPDATE')
        async with stack.api.client() as others:
            others.headers.update(clients.client.headers)
            requests = [asyncio.create_task(others.post("/user-groups", json={"name": "x"})) for _ in range(40)]
            await asyncio.sleep(0.5)
            for request in requests:
                request.cancel()
            await asyncio.wait(requests)
    await holder.close()

    async def all_idle() -> bool:
        return not await stack.fetch(BUSY)

    await eventually("no cancelled request keeps a connection or a transaction", all_idle)
    return await clients.recovered()


# Run in parallel, since most of the time is spent waiting. The first lane has a cluster of its own.
LANES: tuple[tuple[Fault, ...], ...] = (
    (away, refused, restarted, crashed, reset, reset_in_use, read_only, no_connections, answer_lost, hung_up),
    (away, swallowed, locked),
    (away, slow, exhausted),
)
FAULTS = tuple(dict.fromkeys(fault for lane in LANES for fault in lane))
