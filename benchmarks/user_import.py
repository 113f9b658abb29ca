"""Compares an import of users with COPY of the same rows into the same table, with the same constraints and indexes."""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from accounts.migrations.roles import ROLE
from arguments import at_least
from benchmarks.data import create_database, migrate
from benchmarks.servers import environment
from benchmarks.verdicts import Verdict
from postgres import Cluster, throwaway

# The form counts, not the password: no user signs in.
HASH = "$argon2id$v=19$m=19456,t=2,p=1$" + "c29tZXNhbHRzb21l" + "$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI"
DOMAINS = 5_000
TARGET = 0.5


def run(arguments: Sequence[str] = ()) -> Sequence[Verdict]:
    """Print both times and the memory of the import; return the verdict on their ratio."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks import", description="Compare an import with COPY.")
    parser.add_argument("--rows", type=at_least(1), default=100_000, help="the number of users (100,000)")
    rows = parser.parse_args(arguments).rows
    with throwaway() as cluster, tempfile.TemporaryDirectory() as directory:
        migrate(cluster)
        file = Path(directory, "users.jsonl")
        _write(file, rows)
        importing = _import(cluster, file)
        copying = asyncio.run(_copy(cluster, Path(directory, "rows")))
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{rows:,} users: imported in {importing:.1f} s, copied in {copying:.1f} s; the import took {memory:.0f} MB")
    return [Verdict(f"import / COPY, {rows:,} users", copying / importing, TARGET)]


def _write(file: Path, rows: int) -> None:
    with file.open("w") as lines:
        for number in range(rows):
            user = {
                "email": f"first.last.{number}@domain-{number * 7919 % DOMAINS}.example.com",
                "display_name": f"First Last {number}",
                "hashed_password": HASH,
                "is_verified": number % 2 == 0,
                "created_at": f"2024-01-{number % 28 + 1:02}T12:00:00Z",
            }
            lines.write(f"{json.dumps(user)}\n")


def _import(cluster: Cluster, file: Path) -> float:
    asyncio.run(create_database(cluster, "imported"))
    settings = environment(cluster.url("imported", ROLE), "s" * 32, ENVIRONMENT="development")
    with file.open("rb") as users:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "accounts.commands.import_users"], stdin=users, env=settings, check=True)
        return time.perf_counter() - started


async def _copy(cluster: Cluster, file: Path) -> float:
    await create_database(cluster, "copied")
    source, target = [await asyncpg.connect(cluster.url(name)) for name in ("imported", "copied")]
    await source.copy_from_table("user", output=file, format="binary")
    started = time.perf_counter()
    await target.copy_to_table("user", source=file, format="binary", timeout=None)
    seconds = time.perf_counter() - started
    await asyncio.gather(source.close(), target.close())
    return seconds
