"""Classification of database errors: the violated constraint, and whether a retry can help."""

import asyncpg
from sqlalchemy.exc import IntegrityError, InterfaceError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

# All that a statement, or waiting for a connection, can raise.
DATABASE_ERRORS = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)

# After these errors the next response on the connection may belong to an earlier statement. asyncpg raises
# InternalClientError if the server closed the connection between two statements.
DESYNCHRONISED = (TimeoutError, asyncpg.InternalClientError)

READ_ONLY, DISK_FULL = "25006", "53100"
STANDBY = "0A000"  # a standby refuses to read an unlogged table, such as that of the rate limits
DATABASE_CLOSED = "55000"  # the database accepts no connections, or is invalid
# Classes and codes (PostgreSQL, appendix A) that mean "not now": connection, credentials, no such database, resources,
# operator intervention, closed, read-only, standby, serialization failure, deadlock, lock not available.
NOT_NOW = ("08", "28", "3D", "53", "57", DATABASE_CLOSED, READ_ONLY, STANDBY, "40001", "40P01", "55P03")


def violated(error: IntegrityError) -> str | None:
    """Return the name of the constraint or unique index that refused a statement."""
    return getattr(error.orig and error.orig.__cause__, "constraint_name", None)


def sqlstate(error: BaseException) -> str | None:
    """Return PostgreSQL's five-character error code, if the error has one."""
    return getattr(getattr(error, "orig", error), "sqlstate", None)


def is_unavailable(error: BaseException) -> bool:
    """Return whether an error is an outage or an overload, which pass, and not a mistake in a statement."""
    if isinstance(
        error, (OSError, PoolTimeoutError, InterfaceError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    ):
        return True
    return (sqlstate(error) or "").startswith(NOT_NOW) or getattr(error, "connection_invalidated", False)
