"""The database of ``make bench ARGS=pages``: a million users, and what belongs to them, skewed as real data is."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
from fastapi_users.password import PasswordHelper

from accounts.domain.figures.names import NAMES
from benchmarks import statements
from benchmarks.data import create_database, migrate
from postgres import VOLATILE, Cluster, throwaway

SUPERUSER, HEAVY = "superuser@example.com", "heavy@example.com"
PASSWORD = "the-horse-of-the-benchmarks"  # noqa: S105  # of a throw-away database
SET_PASSWORD = 'UPDATE "user" SET hashed_password = $1 WHERE email = ANY($2)'  # noqa: S105  # a statement
FILL = Path(__file__).with_name("pages.sql")
EXISTS = "SELECT 1 FROM pg_database WHERE datname = $1"


@contextmanager
def filled(users: int, folder: Path | None) -> Iterator[tuple[Cluster, str]]:
    """Run a PostgreSQL with the data during the block, and yield it with the database's name.

    With ``folder``, the data is kept there, and used again.
    """
    name = f"pages_{users}"
    with _kept(folder) if folder else throwaway() as cluster:
        if not asyncio.run(_exists(cluster, name)):
            statements.prepare(cluster)
            migrate(cluster)
            started = time.perf_counter()
            asyncio.run(_fill(cluster, name, users))
            print(f"filled in {time.perf_counter() - started:.0f} s", flush=True)
        yield cluster, name


@contextmanager
def _kept(folder: Path) -> Iterator[Cluster]:
    cluster = Cluster(folder, VOLATILE)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()


async def _exists(cluster: Cluster, name: str) -> bool:
    connection = await asyncpg.connect(cluster.url("postgres"))
    try:
        return bool(await connection.fetchval(EXISTS, name))
    finally:
        await connection.close()


async def _fill(cluster: Cluster, name: str, users: int) -> None:
    """Fill a database under another name, so that an interrupted run leaves none that looks complete."""
    await _execute(cluster, f"DROP DATABASE IF EXISTS {name}_new")
    await create_database(cluster, f"{name}_new")
    connection: Any = await asyncpg.connect(cluster.url(f"{name}_new"))
    script = FILL.read_text().replace("{users}", str(users)).replace("{names}", f"{{{','.join(NAMES)}}}")
    await connection.execute(script, timeout=None)
    await connection.execute(SET_PASSWORD, PasswordHelper().hash(PASSWORD), [SUPERUSER, HEAVY])
    await connection.execute("VACUUM ANALYZE", timeout=None)  # throw-away clusters have no autovacuum
    await connection.close()
    await _execute(cluster, f"ALTER DATABASE {name}_new RENAME TO {name}")


async def _execute(cluster: Cluster, statement: str) -> None:
    connection = await asyncpg.connect(cluster.url("postgres"))
    await connection.execute(statement)
    await connection.close()
