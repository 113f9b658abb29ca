"""The transaction: the only place that commits; and what errors of the database mean."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Never

from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker
from sqlmodel.ext.asyncio.session import AsyncSession


class Session(AsyncSession):
    """SQLModel's session, whose transaction is ended by ``transaction`` and by nobody else."""

    async def commit(self) -> Never:
        """Refuse: a commit in the middle would tear a unit of work in two."""
        raise TypeError("commit() belongs to accounts.database.transaction: use flush(), or release()")

    async def look(self) -> None:
        """Begin with statements that stand by themselves, without BEGIN and COMMIT around them, up to ``release``."""
        await self.connection(execution_options={"isolation_level": "AUTOCOMMIT"})

    async def release(self) -> None:
        """Give the connection back before slow work that needs none. Call it before anything is written.

        What was read stays usable; the next statement begins a new transaction.
        """
        if self.new or self.dirty or self.deleted:
            raise TypeError("release() after a change would commit half of a unit of work")
        await super().commit()


Sessionmaker = async_sessionmaker[Session]


class Recorded(Exception):  # noqa: N818  # what derives from it is named for its rule
    """Something that is refused, and yet has changed what is stored: its transaction is committed."""


@asynccontextmanager
async def transaction(sessionmaker: Sessionmaker, **info: object) -> AsyncIterator[Session]:
    """One unit of work: committed at the end of the block, rolled back when it raises anything but ``Recorded``.

    ``info`` is what the session knows of its cause: ``actor_id``, and of the client ``address``, ``user_agent`` and
    ``languages``.
    """
    async with sessionmaker(info=info) as session:
        try:
            yield session
        except Recorded:
            await AsyncSession.commit(session)
            raise
        await AsyncSession.commit(session)


def create_sessionmaker(engine: AsyncEngine) -> Sessionmaker:
    """Make sessions whose objects stay readable after their transaction has ended."""
    return async_sessionmaker(engine, class_=Session, expire_on_commit=False)
