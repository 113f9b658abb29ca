"""The service as in production, with a network to PostgreSQL that can go wrong."""

import asyncio
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from signal import SIGKILL, SIGTERM

import asyncpg
from httpx2 import AsyncClient, HTTPError, Limits

from accounts.migrations.roles import ROLE
from faults.proxy import Proxy
from postgres import DURABLE, Cluster, throwaway
from support.gunicorn import STOP_SECONDS
from support.processes import environment, free_port
from support.waiting import PATIENCE, POLL

WORKERS = 2
POOL = 8


class Api:
    """gunicorn with two workers, which knows the database by the proxy's address."""

    def __init__(self, settings: Mapping[str, str], log: Path) -> None:
        self.port = free_port()
        self.log = log
        self._settings = {**settings, "API_PORT": str(self.port), "WEB_CONCURRENCY": str(WORKERS)}
        self.process: Process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> AsyncClient:
        """A client who is patient enough to see how long an answer takes."""
        return AsyncClient(base_url=self.url, timeout=PATIENCE, limits=Limits(max_connections=None), trust_env=False)

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gunicorn"), env=self._settings, stdout=log, stderr=log
            )

    async def answers(self, path: str, status: int = 200) -> float:
        """Wait until it answers so, and tell for how many seconds."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        async with self.client() as client:
            while loop.time() < begun + PATIENCE:
                try:
                    if (await client.get(path)).status_code == status:
                        return loop.time() - begun
                except HTTPError:
                    pass
                await asyncio.sleep(POLL)
        raise TimeoutError(f"{path} does not answer {status}; {self.log.read_text()[-2000:]}")

    async def stop(self) -> int:
        """Stop it as an orchestrator does, and tell its status."""
        if self.process.returncode is None:
            self.process.send_signal(SIGTERM)
        try:
            return await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
        except TimeoutError:
            self.process.send_signal(SIGKILL)
            raise


class Stack:
    """A database, a proxy in front of it, and the API as its client; and the cluster, if no other test uses it."""

    def __init__(self, url: str, proxy: Proxy, home: Path, cluster: Cluster | None) -> None:
        self.proxy = proxy
        self._url = url
        self._home = home
        self._cluster = cluster
        self.api = self.another_api()

    @property
    def cluster(self) -> Cluster:
        """PostgreSQL itself, to be stopped and started."""
        assert self._cluster, "this is not the only database of its cluster"
        return self._cluster

    def another_api(self) -> Api:
        """One more, with the same database and the same secret."""
        more = {"DATABASE_POOL_SIZE": str(POOL), "SESSIONS_PER_USER": "1000000", "LOG_LEVEL": "info"}
        more |= {"POSTGRES_PASSWORD": "", "THROTTLE_SCALE": "1000000"}
        return Api(environment(self.proxy.url(ROLE), **more), self._home / "api.log")

    async def database(self) -> asyncpg.Connection:
        """A connection that goes past the proxy, as the owner of the schema."""
        return await asyncpg.connect(self._url, server_settings={"default_transaction_read_only": "off"})

    async def fetch(self, query: str) -> list[asyncpg.Record]:
        """Ask PostgreSQL itself."""
        connection = await self.database()
        try:
            rows: list[asyncpg.Record] = await connection.fetch(query)
            return rows
        finally:
            await connection.close()


@asynccontextmanager
async def stack(url: str | None = None) -> AsyncIterator[Stack]:
    """A stack whose API is not started yet; ``url`` is a migrated database's, for its owner, or it gets a cluster."""
    async with AsyncExitStack() as exits:
        home = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        cluster = None
        if url is None:
            throwaway_cluster = throwaway(DURABLE)
            cluster = await asyncio.to_thread(throwaway_cluster.__enter__)
            exits.callback(throwaway_cluster.__exit__, None, None, None)
            url = cluster.url()
            await migrate(url)
        proxy = await exits.enter_async_context(Proxy(url))
        yield Stack(url, proxy, home, cluster)


async def migrate(url: str) -> None:
    """Bring the schema up to date."""
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    process = await asyncio.create_subprocess_exec(*command, env=environment(url))
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
