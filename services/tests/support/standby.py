"""A standby of a cluster, by streaming replication."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from signal import SIGCONT, SIGQUIT, SIGSTOP, Signals

from pydantic import SecretStr

from accounts.db.engine import DriverConnection, create_engine
from accounts.db.session import create_sessionmaker
from accounts.migrations.roles import ROLE
from accounts.settings import get_settings
from conftest import world_of
from postgres import DURABLE, NAME, Cluster
from postgres_host import PORT, run
from support.people import World

REPLICATED = DURABLE | {"wal_level": "replica", "max_wal_senders": "4"}


@contextmanager
def standby_of(primary: Cluster) -> Iterator[Cluster]:
    """Run a standby of ``primary``, which has the settings ``REPLICATED``, during the block."""
    standby = _start(primary)
    try:
        yield standby
    finally:
        standby.stop(SIGQUIT)
        shutil.rmtree(standby.home)


def _start(primary: Cluster) -> Cluster:
    standby = Cluster(base_backup(primary, "--write-recovery-conf"), REPLICATED)
    standby.start()
    return standby


def base_backup(cluster: Cluster, *options: str) -> Path:
    """Copy the data of a running server, and return the folder for another one."""
    home = Path(tempfile.mkdtemp(prefix="accounts-")).resolve()
    source = ("--host", str(cluster.sockets), "--port", PORT, "--username", NAME)
    run("pg_basebackup", "--pgdata", str(home / "data"), *source, "--checkpoint=fast", *options)
    return home


async def execute(cluster: Cluster, statement: str) -> None:
    """Run a statement as the owner of the cluster."""
    await asyncio.to_thread(run, "psql", cluster.url(), "--quiet", "--command", statement)


def freeze(cluster: Cluster) -> None:
    """Let a server keep its connections, accept new ones and answer nothing, as one whose machine hangs."""
    _send(SIGSTOP, cluster)


def thaw(cluster: Cluster) -> None:
    """Let a server go on."""
    _send(SIGCONT, cluster)


@contextmanager
def frozen(cluster: Cluster) -> Iterator[None]:
    """Freeze a server during the block."""
    freeze(cluster)
    try:
        yield
    finally:
        thaw(cluster)


def _send(number: Signals, cluster: Cluster) -> None:
    main = int((cluster.data / "postmaster.pid").read_text().split()[0])
    children = [task.read_text().split() for task in Path(f"/proc/{main}/task").glob("*/children")]
    for pid in [main, *(int(pid) for pids in children for pid in pids)]:
        os.kill(pid, number)


async def promote(standby: Cluster) -> None:
    await execute(standby, "SELECT pg_promote()")


@asynccontextmanager
async def served(cluster: Cluster) -> AsyncIterator[World]:
    """The application on a cluster's database."""
    settings = get_settings().model_copy(update={"database_url": SecretStr(cluster.url(role=ROLE))})
    engine = create_engine(settings, "test")
    async with world_of(create_sessionmaker(engine), connect=partial(DriverConnection, engine)) as world:
        yield world
    await engine.dispose()
