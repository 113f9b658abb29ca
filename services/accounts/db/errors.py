"""Classification of database errors: the violated constraint, and whether a retry can help."""

import asyncpg
from sqlalchemy.exc import IntegrityError, InterfaceError, NoResultFound, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm.exc import StaleDataError

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
CONFLICT = ("23001", "23503", "23505", "23P01")  # foreign keys, unique indexes and exclusion constraints
# Too long, out of range, no such date, characters that PostgreSQL cannot store, not of the type, null, a CHECK.
INVALID_VALUE = ("22001", "22003", "22007", "22008", "22021", "22P02", "22P05", "23502", "23514")
ASYNCPG_DATA = "22000"  # asyncpg itself cannot encode a parameter


def violated(error: IntegrityError) -> str | None:
    """Return the name of the constraint or unique index that refused a statement."""
    return getattr(error.orig and error.orig.__cause__, "constraint_name", None)


def describe(error: BaseException) -> str:
    """Return an error's class and what it names, without its message, which may quote a row."""
    cause = getattr(getattr(error, "orig", None), "__cause__", None) or error
    names = (getattr(cause, name, None) for name in ("table_name", "column_name", "constraint_name"))
    return " ".join([type(cause).__name__, *filter(None, names)])


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


def is_conflict(error: BaseException) -> bool:
    """Return whether other rows stand against a change, or its row was changed or deleted meanwhile."""
    return isinstance(error, StaleDataError) or sqlstate(error) in CONFLICT


def is_invalid_value(error: BaseException) -> bool:
    """Return whether a value does not fit its column. One of the wrong Python type is a bug, and no such value."""
    if sqlstate(error) == ASYNCPG_DATA:
        wrapped = getattr(error, "orig", None)  # by SQLAlchemy
        driver_error = wrapped.__cause__ if wrapped else error
        return isinstance(getattr(driver_error, "__cause__", None), (ValueError, OverflowError))
    return sqlstate(error) in INVALID_VALUE


def is_missing_row(error: BaseException) -> bool:
    """Return whether a statement that has to find a row found none."""
    return isinstance(error, NoResultFound)
