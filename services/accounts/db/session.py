"""The database session and its transaction: one for each request or task, committed here and nowhere else."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Never

from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker
from sqlmodel.ext.asyncio.session import AsyncSession


@dataclass(frozen=True, slots=True)
class CallerLevel:
    """The assurance level of the caller's session or key, and the one that superusers' rights require."""

    level: int = 1
    required_of_superusers: int = 1

    @property
    def suffices_for_superusers(self) -> bool:
        """Whether superusers have their rights at this level."""
        return self.level >= self.required_of_superusers


TRUSTED = CallerLevel(level=2)  # of commands and workers


@dataclass(frozen=True, slots=True)
class LastProof:
    """When the person of a session last proved who they are, and for how long that counts as recent."""

    at: datetime
    recent: timedelta


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The client whose request a transaction belongs to, for the audit log, mail and sessions.

    ``actor_id`` and ``caller_level`` are set once the caller is authenticated, and ``key_id`` if an access key did
    that, ``last_proof`` if it is a person; the other fields come from the client and may be empty.
    """

    client_ip: str = ""
    user_agent: str = ""
    accept_language: str = ""
    actor_id: uuid.UUID | None = None
    key_id: uuid.UUID | None = None
    caller_level: CallerLevel = CallerLevel()
    last_proof: LastProof | None = None


class Session(AsyncSession):
    """SQLModel's session. Only ``transaction`` ends its transaction."""

    context: RequestContext | None = None  # commands and workers have none
    new_cookie: str | None = None  # of the caller's session, in place of the one that came with the request

    @property
    def actor_id(self) -> uuid.UUID | None:
        """The id of the authenticated caller, if there is one."""
        return self.context.actor_id if self.context else None

    @property
    def key_detail(self) -> dict[str, str]:
        """The access key of the caller, for the audit log: empty unless a program uses one."""
        return {"key_id": str(self.context.key_id)} if self.context and self.context.key_id else {}

    @property
    def caller_level(self) -> CallerLevel:
        """The assurance level of the caller."""
        return self.context.caller_level if self.context else TRUSTED

    @property
    def client_ip(self) -> str:
        """The IP address of the client, or an empty string outside of a request."""
        return self.context.client_ip if self.context else ""

    async def commit(self) -> Never:
        """Raise TypeError: a commit inside a request would split its unit of work."""
        raise TypeError("commit() belongs to accounts.db.session.transaction: use flush() or release_connection()")

    async def begin_autocommit(self) -> None:
        """Run the next statements without BEGIN and COMMIT, until ``release_connection``."""
        await self.connection(execution_options={"isolation_level": "AUTOCOMMIT"})

    async def release_connection(self) -> None:
        """Return the connection to the pool before slow work that does not need it, such as hashing a password.

        Objects stay readable; the next statement begins a new transaction.

        Raises:
            TypeError: there are unsaved changes, which would be committed alone.

        """
        if self.new or self.dirty or self.deleted:
            raise TypeError("release_connection() after a change would commit half of a unit of work")
        await super().commit()


Sessionmaker = async_sessionmaker[Session]


class CommittedRefusal(Exception):  # noqa: N818  # subclasses are named for the rule that they state
    """A refusal whose changes are kept: its transaction is committed, for example to record a failed sign-in."""


@asynccontextmanager
async def transaction(sessionmaker: Sessionmaker, context: RequestContext | None = None) -> AsyncIterator[Session]:
    """Open a unit of work: commit at the end of the block, roll back on any exception but ``CommittedRefusal``."""
    async with sessionmaker() as db:
        db.context = context
        try:
            yield db
        except CommittedRefusal:
            await AsyncSession.commit(db)
            raise
        await AsyncSession.commit(db)


def create_sessionmaker(engine: AsyncEngine) -> Sessionmaker:
    """Create a factory of sessions whose objects stay readable after the commit."""
    return async_sessionmaker(engine, class_=Session, expire_on_commit=False)
