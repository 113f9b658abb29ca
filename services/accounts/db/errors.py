"""What errors of the database mean."""

import asyncpg
from sqlalchemy.exc import IntegrityError, InterfaceError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


def violated(error: IntegrityError) -> str | None:
    """Name the constraint or unique index that refused a statement."""
    return getattr(error.orig and error.orig.__cause__, "constraint_name", None)


# Behind these, what comes next on a connection is no answer to what is asked next. The latter is how asyncpg finds that
# a server said goodbye between two statements.
DESYNCHRONISED = (TimeoutError, asyncpg.InternalClientError)


# Whatever a statement, or the wait for a connection, can raise.
DATABASE_ERRORS = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


# Classes and codes of PostgreSQL's appendix A that say "not now": connection, credentials, no such database, resources,
# operator intervention, read-only, serialization failure, deadlock, lock not available.
READ_ONLY = "25006"


NOT_NOW = ("08", "28", "3D", "53", "57", READ_ONLY, "40001", "40P01", "55P03")


def sqlstate(error: BaseException) -> str | None:
    """Find PostgreSQL's five-character error code."""
    return getattr(getattr(error, "orig", error), "sqlstate", None)


def is_unavailable(error: BaseException) -> bool:
    """Tell an outage or an overload, which passes, from a mistake in a statement, which does not."""
    if isinstance(
        error, (OSError, PoolTimeoutError, InterfaceError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    ):
        return True
    return (sqlstate(error) or "").startswith(NOT_NOW) or getattr(error, "connection_invalidated", False)
