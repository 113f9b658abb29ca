"""Bulk work: requests that take seconds, such as imports. They must not keep the others from being served.

It runs on database connections of its own, a few at a time in each process. Across all processes there is one at a time
for each subject, such as a user or a group. What exceeds this is refused at once, instead of waiting with a connection.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlmodel import func, select

from accounts.db.session import RequestContext, Session, Sessionmaker, transaction
from accounts.db.statements import CompiledStatement
from accounts.domain import errors

CONNECTIONS = 2  # of each process
# For one transaction of a command, which may take long, and may wait for others.
NO_TIMEOUTS = select(func.set_config("statement_timeout", "0", True), func.set_config("lock_timeout", "0", True))
# Advisory locks of the transaction work through connection poolers, and end with the process. Parsing a large file may
# take longer than a transaction may usually be idle.
TRY_LOCK = CompiledStatement("""
    SELECT bool_and(pg_try_advisory_xact_lock(hashtextextended(subject, 0))),
        set_config('idle_in_transaction_session_timeout', '5min', true)
    FROM unnest(CAST(:subjects AS text[])) AS given (subject)
""")


class BulkWork:
    """Opens transactions for bulk work. One for each process."""

    def __init__(self, sessionmaker: Sessionmaker) -> None:
        """``sessionmaker`` has at least ``CONNECTIONS`` connections of its own."""
        self._sessionmaker = sessionmaker
        self._running = 0

    @asynccontextmanager
    async def transaction(self, context: RequestContext | None, *subjects: str) -> AsyncIterator[Session]:
        """Open a unit of work, while no other one has one of the ``subjects``.

        Raises:
            Busy: this process has as much bulk work as it may have.
            ImportInProgress: another unit of work has one of the subjects.

        """
        if self._running == CONNECTIONS:
            raise errors.Busy
        self._running += 1
        try:
            async with transaction(self._sessionmaker, context) as db:
                [(locked, _)] = await TRY_LOCK.run(db, subjects=subjects)
                if not locked:
                    raise errors.ImportInProgress
                yield db
        finally:
            self._running -= 1
