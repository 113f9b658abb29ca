"""Test data: one database per size, created with the project's own migrations and seeder."""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
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
CROWD = Path(__file__).parent / "crowd.sql"
READERS, SUPERUSERS, SIGN_INS = 32, 8, 64
LEAST_USERS = 1_000  # the fewest that suffice for all of these
EMAILS = """SELECT email FROM "user" WHERE is_active AND email LIKE '%@batch-%' ORDER BY id LIMIT $1"""
EVERYBODY = "SELECT id FROM user_group WHERE name LIKE 'Everybody %'"
PAGE = 50
PLACES = 9  # of the pages of a list that are read: evenly spread, the last one is the last page
# The keys of lists, as the project's cursors have them.
KEYS = {
    "members": f"SELECT user_id::text FROM membership WHERE group_id = ({EVERYBODY}) ORDER BY user_id",  # noqa: S608
    "groups": "SELECT id || ' ' || name FROM user_group WHERE visibility = 'public' ORDER BY lower(name), id",
    "users": 'SELECT id::text FROM "user" ORDER BY id',
}
CIRCLES = """SELECT g.id, array_agg(u.id::text ORDER BY u.id) AS members
    FROM user_group g JOIN membership m ON m.group_id = g.id JOIN "user" u ON u.id = m.user_id
    WHERE g.name LIKE 'Circle %' AND u.id NOT IN (SELECT id FROM reader) GROUP BY g.id ORDER BY g.id"""
# First letters of email addresses that fill a page.
LETTERS = """SELECT left(lower(email), 1) FROM "user" GROUP BY 1 HAVING count(*) > $1 ORDER BY 1"""
SET_HASH = 'UPDATE "user" SET hashed_password = $1 WHERE email = ANY($2)'


@dataclass(frozen=True)
class Data:
    """A database with ``users`` users.

    ``url`` connects as the API, ``owner_url`` as the owner of the schema. ``emails`` are of users who only sign in,
    ``readers`` of those who read and change, ``superusers`` of those who search. ``textbook_emails`` can sign in at the
    textbook, which would replace other hashes with its own. ``group`` has all users as members. ``circles`` are groups,
    each with members whose role can change; ``readers`` own them, in their order. ``keys`` are those before some pages
    of each list, the last page last. ``letters`` begin enough email addresses for a page. ``seeding`` and ``copying``
    are rows per second of the seeder, and of COPY with the same rows.
    """

    users: int
    url: str
    owner_url: str
    group: int
    keys: Mapping[str, Sequence[str]]
    circles: Sequence[tuple[int, Sequence[str]]]
    letters: Sequence[str]
    readers: Sequence[str]
    superusers: Sequence[str]
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
    prepared = asyncio.run(_prepare(cluster.url(name)))
    speeds: dict[str, Any] = {"seeding": rows / seeding, "copying": rows / copying}
    return Data(users, cluster.url(name, ROLE), cluster.url(name), **prepared, **speeds)


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


async def _prepare(url: str) -> dict[str, Any]:
    connection: Any = await asyncpg.connect(url)
    emails = iter([row["email"] for row in await connection.fetch(EMAILS, READERS + SUPERUSERS + 2 * SIGN_INS)])
    names = {"readers": READERS, "superusers": SUPERUSERS, "emails": SIGN_INS, "textbook_emails": SIGN_INS}
    prepared: dict[str, Any] = {name: list(islice(emails, number)) for name, number in names.items()}
    await connection.execute(SET_HASH, PasswordHelper().hash(PASSWORD), prepared["textbook_emails"])
    await connection.execute(CROWD.read_text())
    prepared["circles"] = [tuple(row) for row in await connection.fetch(CIRCLES)]
    prepared["group"] = await connection.fetchval(EVERYBODY)
    prepared["letters"] = [row[0] for row in await connection.fetch(LETTERS, PAGE)]
    prepared["keys"] = {name: await _keys(connection, statement) for name, statement in KEYS.items()}
    await connection.execute("VACUUM ANALYZE")  # throw-away clusters have no autovacuum
    await connection.close()
    return prepared


async def _keys(connection: Any, statement: str) -> Sequence[str]:
    rows = await connection.fetchval(f"SELECT count(*) FROM ({statement})")  # noqa: S608  # one of KEYS
    offsets = [(rows - PAGE - 1) * place // (PLACES - 1) for place in range(PLACES)]
    return [await connection.fetchval(f"{statement} OFFSET {offset} LIMIT 1") for offset in offsets]
