"""The database of a peer. Runs in the peers' environment."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine(os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+asyncpg:", 1), pool_size=20)
sessionmaker = async_sessionmaker(engine, expire_on_commit=False)
ROWS = 1_000


async def get_session() -> AsyncGenerator[AsyncSession]:
    """Open a session for each request."""
    async with sessionmaker() as session:
        yield session


def create(metadata: Any, user: Any, hashed_password: str, columns: Sequence[str]) -> None:
    """Create the tables, and as many users as the command line says, with an email in these columns."""
    asyncio.run(_create(metadata, user, hashed_password, columns))


async def _create(metadata: Any, user: Any, hashed_password: str, columns: Sequence[str]) -> None:
    users = int(sys.argv[1])
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        for start in range(0, users, ROWS):
            rows = [
                {
                    "hashed_password": hashed_password,
                    "created_at": datetime.now(UTC),
                    **dict.fromkeys(columns, f"user{number}@example.com"),
                }
                for number in range(start, min(start + ROWS, users))
            ]
            await connection.execute(insert(user), rows)
