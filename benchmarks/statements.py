"""Counts statements with pg_stat_statements, which is off while durations are measured."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import asyncpg

from postgres import Cluster

SETTINGS = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "none",
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",
}
TRACK = "ALTER SYSTEM SET pg_stat_statements.track = '{}'"
CALLS = "SELECT coalesce(sum(calls), 0)::text FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'"


def prepare(cluster: Cluster) -> None:
    """Load the module, which needs a restart, and give the server a cache that holds all data."""
    for name, value in SETTINGS.items():
        _execute(cluster, f"ALTER SYSTEM SET {name} = '{value}'")
    cluster.stop()
    cluster.start()
    _execute(cluster, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")


@contextmanager
def counting(cluster: Cluster) -> Iterator[Callable[[], int]]:
    """Count statements during the block, BEGIN and COMMIT included; call the value for the count."""
    _execute(cluster, TRACK.format("top"), "SELECT pg_reload_conf()", "SELECT pg_sleep(0.1)")
    _execute(cluster, "SELECT pg_stat_statements_reset()")
    try:
        yield lambda: int(_execute(cluster, CALLS))
    finally:
        _execute(cluster, TRACK.format("none"), "SELECT pg_reload_conf()")


def _execute(cluster: Cluster, *statements: str) -> str:
    return asyncio.run(_run(cluster.url("postgres"), statements))


async def _run(url: str, statements: tuple[str, ...]) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str([await connection.fetchval(statement) for statement in statements][-1])
    finally:
        await connection.close()
