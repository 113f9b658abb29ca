"""Facts about the database for administrators: version, sizes and connections, from PostgreSQL's own statistics."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement

TABLES = 8


class TableSize(NamedTuple):
    """A table with its indexes: bytes, and the estimated number of rows (-1: unknown)."""

    name: str
    size: int
    rows: int


class Connections(NamedTuple):
    """The connections of a kind of process to this database, and when one of them was last active."""

    name: str
    number: int
    active_at: datetime | None


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """What PostgreSQL says about itself and this database."""

    version: str
    size: int
    tables: Sequence[TableSize]
    connections: Sequence[Connections]


SELECT_DATABASE = CompiledStatement("""
    SELECT current_setting('server_version'), pg_database_size(current_database())
""")
SELECT_TABLES = CompiledStatement("""
    SELECT relname, pg_total_relation_size(oid) AS size, CAST(reltuples AS bigint) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = CAST('public' AS regnamespace)
    ORDER BY size DESC, relname LIMIT :tables
""")
SELECT_CONNECTIONS = CompiledStatement("""
    SELECT application_name, count(*), max(state_change) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name <> ''
    GROUP BY application_name ORDER BY application_name
""")


async def read_database_facts(db: Session) -> DatabaseFacts:
    """Read the facts, in three statements that read no table of this service."""
    ((version, size),) = await SELECT_DATABASE.run(db)
    tables = [TableSize(*row) for row in await SELECT_TABLES.run(db, tables=TABLES)]
    return DatabaseFacts(version, size, tables, [Connections(*row) for row in await SELECT_CONNECTIONS.run(db)])
