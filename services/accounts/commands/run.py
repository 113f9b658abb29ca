"""Shared by commands: a ready database, a manager of users, and expected errors as one line."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from typing import NoReturn

import asyncpg
from sqlalchemy.exc import DBAPIError

from accounts import readiness
from accounts.db.engine import create_engine
from accounts.db.session import CommittedRefusal, Sessionmaker, create_sessionmaker, transaction
from accounts.domain.errors import Refusal
from accounts.domain.identity.password_hashing import IsBreached, PasswordHasher, not_looked_up
from accounts.domain.identity.users import UserManager
from accounts.settings import get_settings

INTERRUPTED = 128 + 2  # a shell's status for SIGINT


def run[Result](name: str, work: Callable[[Sessionmaker], Awaitable[Result]]) -> Result:
    """Run ``work`` on the settings' database. ``name`` is the application name in pg_stat_activity.

    Raises:
        NotReady: the database does not answer, or is not migrated.

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


@asynccontextmanager
async def user_manager(
    sessionmaker: Sessionmaker, is_breached: IsBreached = not_looked_up
) -> AsyncIterator[UserManager]:
    """Open a transaction and the manager of users in it. ``is_breached`` looks new passwords up."""
    settings = get_settings()
    with closing(PasswordHasher(1, settings.password_min_length, is_breached)) as passwords:
        async with transaction(sessionmaker) as db:
            yield UserManager(db, passwords, settings)


@contextmanager
def one_line_errors(name: str) -> Iterator[None]:
    """End with one line on standard error for refusals, database errors and Ctrl-C. Bugs keep their traceback.

    Raises:
        SystemExit: with status 1, or 130 for Ctrl-C.

    """
    try:
        yield
    except KeyboardInterrupt:
        print(f"{name}: interrupted; nothing was changed", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except (Refusal, CommittedRefusal, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        fail(name, reason(error))


def fail(name: str, reason: str) -> NoReturn:
    """Exit with status 1 and one line on standard error."""
    sys.exit(f"{name}: {reason}")


def reason(error: BaseException) -> str:
    """Return a message for people: the rule of a refusal, or the cause of an error that SQLAlchemy wraps."""
    if isinstance(error, Refusal):
        message = error.reason or (error.__doc__ or error.code).splitlines()[0]
        return f"{message} ({reason(error.__cause__)})" if error.__cause__ else message
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig.__cause__ or error.orig
    return (str(error) or type(error).__name__).splitlines()[0]
