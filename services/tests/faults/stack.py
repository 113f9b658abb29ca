"""The service as in production, with a proxy in front of PostgreSQL that simulates faults."""

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
    """gunicorn with two workers, connected to the database through the proxy."""

    def __init__(self, settings: Mapping[str, str], log: Path) -> None:
        self.port = free_port()
        self.log = log
        self._settings = {**settings, "API_PORT": str(self.port), "WEB_CONCURRENCY": str(WORKERS)}
        self.process: Process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> AsyncClient:
        """Return a client whose timeout is longer than the API's."""
        return AsyncClient(base_url=self.url, timeout=PATIENCE, limits=Limits(max_connections=None), trust_env=False)

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gunicorn"), env=self._settings, stdout=log, stderr=log
            )

    async def wait_for(self, path: str, status: int = 200) -> float:
        """Wait until a path returns a status, and return after how many seconds."""
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
        """Stop gunicorn as an orchestrator does, and return its exit status."""
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
        """The PostgreSQL server, for faults that stop and start it."""
        assert self._cluster, "this is not the only database of its cluster"
        return self._cluster

    def another_api(self, **changed: str) -> Api:
        """Return another API with the same database and secret, and some settings changed."""
        more = {"DATABASE_POOL_SIZE": str(POOL), "SESSIONS_PER_USER": "1000000", "LOG_LEVEL": "info"}
        more |= {"POSTGRES_PASSWORD": "", "THROTTLE_SCALE": "1000000", "SIGN_UP": "open"}
        return Api(environment(self.proxy.url(ROLE), **more | changed), self._home / "api.log")

    async def database(self) -> asyncpg.Connection:
        """Connect as the owner of the schema, bypassing the proxy."""
        return await asyncpg.connect(self._url, server_settings={"default_transaction_read_only": "off"})

    async def fetch(self, query: str) -> list[asyncpg.Record]:
        """Run a query, bypassing the proxy."""
        connection = await self.database()
        try:
            rows: list[asyncpg.Record] = await connection.fetch(query)
            return rows
        finally:
            await connection.close()


@asynccontextmanager
async def stack(url: str | None = None) -> AsyncIterator[Stack]:
    """Create a stack, without starting its API.

    ``url`` connects to a migrated database as its owner. Without it, the stack gets a cluster of its own.
    """
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
    """Migrate the database to the latest schema."""
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    process = await asyncio.create_subprocess_exec(*command, env=environment(url))
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
