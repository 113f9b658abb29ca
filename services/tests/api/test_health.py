"""Liveness and readiness probes."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from signal import SIGQUIT

import pytest
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import make_url

from accounts.db.engine import create_engine
from accounts.db.session import create_sessionmaker
from accounts.migrations.roles import ROLE
from accounts.readiness import MIGRATIONS, expected_revisions
from accounts.settings import Settings
from conftest import execute, world_of
from postgres import VOLATILE, Cluster
from support.people import World


async def test_probes_reveal_nothing_but_that_they_succeed(world: World) -> None:
    for probe in ("live", "ready"):
        response = await world.client.get(f"/health/{probe}")
        assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_not_ready_without_permission_to_read_the_revision(world: World) -> None:
    await world.sql("REVOKE SELECT ON alembic_version FROM accounts_api")

    response = await world.client.get("/health/ready")

    assert (response.status_code, response.json()["reason"]) == (503, "The database does not answer.")


async def test_not_ready_on_a_connection_without_limits(world: World) -> None:
    await world.sql("SET statement_timeout = 0")

    response = await world.client.get("/health/ready")

    assert (response.status_code, response.json()["detail"]) == (503, "NOT_READY")
    assert response.json()["reason"].startswith("statement_timeout: no limit. Behind a pooler, run the migrations")


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE alembic_version SET version_num = 'of-the-future'", "of-the-future"),
        ("DELETE FROM alembic_version", "no revision"),
        ("DROP TABLE alembic_version", "no revision"),
    ],
)
async def test_not_ready_when_schema_does_not_match(world: World, statement: str, found: str) -> None:
    await world.sql(statement)

    response = await world.client.get("/health/ready")

    assert (response.status_code, response.json()["detail"]) == (503, "NOT_READY")
    assert found in response.json()["reason"]
    assert "Retry-After" in response.headers


async def test_not_ready_while_the_database_is_read_only(busy_world: World, fresh_database: str) -> None:
    name = make_url(fresh_database).database
    await asyncio.to_thread(execute, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    response = await busy_world.client.get("/health/ready")
    assert (response.status_code, response.json()["reason"]) == (503, "The database is read-only.")

    await asyncio.to_thread(execute, f"ALTER DATABASE {name} RESET default_transaction_read_only")
    assert (await busy_world.client.get("/health/ready")).status_code == 200


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A server on a file system of 120 MB."""
    folder = Path(tempfile.mkdtemp(prefix="accounts-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=120m,mode=700", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, check=False, capture_output=True).returncode:
        folder.rmdir()
        pytest.skip("only root may mount a file system")
    cluster = Cluster(folder, VOLATILE)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop(SIGQUIT)
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607  # as mount
        folder.rmdir()


@pytest.mark.slow(seconds=10)
async def test_not_ready_while_the_disk_is_full(cluster: Cluster, fresh_settings: Settings) -> None:
    migrate, environment = [sys.executable, "-m", "alembic", "upgrade", "head"], {"DATABASE_URL": cluster.url()}
    await asyncio.to_thread(subprocess.run, migrate, env=os.environ | environment, check=True)
    settings = fresh_settings.model_copy(update={"database_url": SecretStr(cluster.url(role=ROLE))})
    engine, filler = create_engine(settings, "test"), cluster.home / "filler"

    async with world_of(create_sessionmaker(engine)) as world:
        assert (await world.client.get("/health/ready")).status_code == 200
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

        full = await world.client.get("/health/ready")
        assert (full.status_code, full.json()["reason"]) == (503, "The disk of the database is full.")

        filler.unlink()
        assert (await world.client.get("/health/ready")).status_code == 200
    await engine.dispose()


class TestWithoutADatabase:
    async def test_live_but_not_ready(self, fresh_settings: Settings) -> None:
        away = fresh_settings.model_copy(
            update={"database_url": type(fresh_settings.database_url)("postgresql://accounts@/x?host=/nowhere")}
        )
        engine = create_engine(away, "test")
        async with world_of(create_sessionmaker(engine)) as world:
            live = await world.client.get("/health/live")
            ready = await world.client.get("/health/ready")
            groups = await world.client.get("/user-groups")
        await engine.dispose()

        assert live.status_code == 200
        assert (ready.status_code, ready.json()["detail"]) == (503, "NOT_READY")
        assert ready.json()["reason"] == "The database does not answer."
        assert (groups.status_code, groups.json()["detail"]) == (503, "SERVICE_UNAVAILABLE")
        assert "Retry-After" in groups.headers


def test_expected_revision_is_the_head_of_the_migrations() -> None:
    assert expected_revisions() == {*ScriptDirectory(str(MIGRATIONS)).get_heads()}
