"""A base backup and the archived write-ahead log bring the database back to any moment between two backups."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from signal import SIGQUIT

import asyncpg
import pytest

from faults.stack import migrate
from postgres import Cluster, throwaway
from support.people import PASSWORD, World
from support.standby import REPLICATED, base_backup, execute, served
from support.waiting import eventually

pytestmark = pytest.mark.slow(seconds=20)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "wal"
    folder.mkdir()
    folder.chmod(0o777)  # for the server's user
    tmp_path.chmod(0o755)
    return folder


@pytest.fixture
def cluster(archive: Path) -> Iterator[Cluster]:
    """A server as docs/backup.md configures it."""
    archiving = {"archive_mode": "on", "archive_command": f"test ! -f {archive}/%f && cp %p {archive}/%f"}
    with throwaway(REPLICATED | archiving) as cluster:
        yield cluster


@contextmanager
def recovered(backup: Path, archive: Path, time: str) -> Iterator[Cluster]:
    """Recover a base backup to a time, as docs/backup.md does."""
    (backup / "data" / "recovery.signal").touch()
    with (backup / "data" / "postgresql.auto.conf").open("a") as file:
        file.write(f"restore_command = 'cp {archive}/%f %p'\n")
        file.write(f"recovery_target_time = '{time}'\nrecovery_target_action = 'promote'\n")
    server = Cluster(backup, REPLICATED)
    server.start()
    try:
        yield server
    finally:
        server.stop(SIGQUIT)
        shutil.rmtree(backup)


async def value(cluster: Cluster, query: str) -> str:
    connection = await asyncpg.connect(cluster.url())
    try:
        return str(await connection.fetchval(query))
    finally:
        await connection.close()


async def test_a_deleted_user_is_back_as_a_moment_before_and_later_writes_are_gone(
    cluster: Cluster, archive: Path
) -> None:
    await migrate(cluster.url())
    backup = await asyncio.to_thread(base_backup, cluster)
    async with served(cluster) as world:
        await world.user("arthur")
        moment = await value(cluster, "SELECT clock_timestamp()")
        await execute(cluster, "DELETE FROM \"user\" WHERE email LIKE 'arthur%'")
        await world.user("mordred")
    last = await value(cluster, "SELECT pg_walfile_name(pg_current_wal_lsn())")
    await execute(cluster, "SELECT pg_switch_wal()")
    await eventually("the log is archived", (archive / last).exists)

    with recovered(backup, archive, moment) as past:
        await eventually("the server accepts writes", partial(_is_promoted, past))
        async with served(past) as world:
            statuses = {name: (await _sign_in(world, name)) for name in ("arthur", "mordred")}

    assert statuses == {"arthur": 200, "mordred": 400}


async def _is_promoted(cluster: Cluster) -> bool:
    return await value(cluster, "SELECT pg_is_in_recovery()") == "False"


async def _sign_in(world: World, name: str) -> int:
    form = {"username": f"{name}@camelot.example.com", "password": PASSWORD}
    return (await world.client.post("/auth/jwt/login", data=form)).status_code
