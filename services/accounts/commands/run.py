"""What the commands share: a database that is ready, and one line for what can be expected to go wrong."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import asyncpg
from sqlalchemy.exc import DBAPIError

from accounts import readiness
from accounts.db.engine import create_engine
from accounts.db.session import Sessionmaker, create_sessionmaker
from accounts.domain.errors import Refusal
from accounts.settings import get_settings

INTERRUPTED = 128 + 2  # as a shell has it: 128 and the number of the signal


def run[Result](name: str, work: Callable[[Sessionmaker], Awaitable[Result]]) -> Result:
    """Run ``work`` on the settings' database, when that is there and migrated; ``name`` shows in pg_stat_activity.

    Raises:
        NotReady: the database is away, or not migrated.

    """
    return asyncio.run(_connected(name, work))


async def _connected[Result](name: str, work: Callable[[Sessionmaker], Awaitable[Result]]) -> Result:
    engine = create_engine(get_settings(), name)
    sessionmaker = create_sessionmaker(engine)
    try:
        await readiness.check_readiness(sessionmaker)
        return await work(sessionmaker)
    finally:
        await engine.dispose()


@contextmanager
def one_line_errors(name: str) -> Iterator[None]:
    """Turn refusals, the database's errors and Ctrl-C into one line on standard error and a status; bugs stay loud.

    Raises:
        SystemExit: with status 1, or 130 for Ctrl-C.

    """
    try:
        yield
    except KeyboardInterrupt:
        print(f"{name}: interrupted, and undone", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except (Refusal, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        fail(name, reason(error))


def fail(name: str, reason: str) -> NoReturn:
    """End the process with status 1 and one line."""
    sys.exit(f"{name}: {reason}")


def reason(error: BaseException) -> str:
    """Say for people what went wrong: a refusal's rule, or what lies under SQLAlchemy's wrapping."""
    if isinstance(error, Refusal):
        said = error.reason or (error.__doc__ or error.code).splitlines()[0]
        return f"{said} ({reason(error.__cause__)})" if error.__cause__ else said
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig.__cause__ or error.orig
    return (str(error) or type(error).__name__).splitlines()[0]
