"""Test data: one database per size, created with the project's own migrations and seeder."""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from fastapi_users.password import PasswordHelper

from accounts.migrations.roles import ROLE
from benchmarks.servers import environment
from postgres import Cluster

TABLES = ("user", "user_group", "membership")
# Production refuses users with the seeder's own password.
PASSWORD = "the-horse-of-the-benchmarks"  # noqa: S105  # of a throw-away database
SEEDER = f"""from accounts.domain.sample_users import published_password
published_password.PASSWORD = {PASSWORD!r}
from accounts.seeder.__main__ import main
main()"""
SIGN_INS = 64
EMAILS = """SELECT email FROM "user" WHERE is_active AND email LIKE '%@batch-%' ORDER BY id LIMIT $1"""
EVERYBODY = "SELECT id FROM user_group WHERE name LIKE 'Everybody %'"
MEMBER = "SELECT user_id::text FROM membership WHERE group_id = $1 ORDER BY user_id OFFSET $2 LIMIT 1"
PAGE = 50
SET_HASH = 'UPDATE "user" SET hashed_password = $1 WHERE email = ANY($2)'


@dataclass(frozen=True)
class Data:
    """A database with ``users`` users.

    ``url`` connects as the API, ``owner_url`` as the owner of the schema. ``emails`` can sign in at the project,
    ``textbook_emails`` at the textbook, which would replace other hashes with its own. ``group`` has all users as
    members; ``middle`` and ``last`` are the ids of those before its middle and last page. ``seeding`` and ``copying``
    are rows per second of the seeder, and of COPY with the same rows.
    """

    users: int
    url: str
    owner_url: str
    group: int
    middle: str
    last: str
    emails: Sequence[str]
    textbook_emails: Sequence[str]
    seeding: float = 0
    copying: float = 0


def migrate(cluster: Cluster) -> None:
    """Migrate the database that the others are copied from."""
    settings = environment(cluster.url(), "s" * 32)
    subprocess.run([sys.executable, "-m", "alembic", "upgrade", "head"], env=settings, check=True)


def seed(cluster: Cluster, users: int) -> Data:
    """Create a database with ``users`` users."""
    name = f"seeded_{users}"
    asyncio.run(create_database(cluster, name))
    settings = environment(cluster.url(name), "s" * 32, ENVIRONMENT="development")
    command = [sys.executable, "-c", SEEDER, "--users", str(users)]
    started = time.perf_counter()
    subprocess.run(command, env=settings, check=True, capture_output=True)
    seeding = time.perf_counter() - started
    rows, copying = asyncio.run(_copy(cluster, name))
    prepared = asyncio.run(_prepare(cluster.url(name), users))
    return Data(users, cluster.url(name, ROLE), cluster.url(name), *prepared, rows / seeding, rows / copying)


async def create_database(cluster: Cluster, name: str) -> None:
    """Create a database with the tables of the migrated one."""
    connection = await asyncpg.connect(cluster.url("postgres"))
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE accounts")
    await connection.close()


async def _copy(cluster: Cluster, name: str) -> tuple[int, float]:
    """Time COPY of the same rows into another database with the same tables, constraints and indexes."""
    await create_database(cluster, f"{name}_copied")
    source, target = [await asyncpg.connect(cluster.url(each)) for each in (name, f"{name}_copied")]
    rows, seconds = 0, 0.0
    with tempfile.TemporaryDirectory() as directory:
        for table in TABLES:
            file = Path(directory, table)
            await source.copy_from_table(table, output=file, format="binary")
            started = time.perf_counter()
            status = await target.copy_to_table(table, source=file, format="binary", timeout=None)
            await target.execute(f'ANALYZE "{table}"')
            seconds += time.perf_counter() - started
            rows += int(status.removeprefix("COPY "))
    await asyncio.gather(source.close(), target.close())
    await _drop(cluster, f"{name}_copied")
    return rows, seconds


async def _drop(cluster: Cluster, name: str) -> None:
    connection = await asyncpg.connect(cluster.url("postgres"))
    await connection.execute(f"DROP DATABASE {name}")
    await connection.close()


async def _prepare(url: str, users: int) -> tuple[int, str, str, Sequence[str], Sequence[str]]:
    connection: Any = await asyncpg.connect(url)
    emails = [row["email"] for row in await connection.fetch(EMAILS, 2 * SIGN_INS)]
    await connection.execute(SET_HASH, PasswordHelper().hash(PASSWORD), emails[SIGN_INS:])
    await connection.execute("VACUUM ANALYZE")  # throw-away clusters have no autovacuum
    group = await connection.fetchval(EVERYBODY)
    middle, last = [await connection.fetchval(MEMBER, group, before) for before in (users // 2, users - PAGE - 1)]
    await connection.close()
    return group, middle, last, emails[:SIGN_INS], emails[SIGN_INS:]
