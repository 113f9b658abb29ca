"""The engine and the database session of a request."""

import os
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

engine = create_async_engine(
    os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+asyncpg:", 1),
    pool_size=20,
    max_overflow=0,
    connect_args={"server_settings": {"jit": "off"}},
    skip_autocommit_rollback=True,
)
# Each read is one statement, without BEGIN and ROLLBACK around it.
reading = engine.execution_options(isolation_level="AUTOCOMMIT")
sessionmaker = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)


async def get_db(request: Request) -> AsyncGenerator[AsyncSession]:
    """Open a session."""
    async with sessionmaker(bind=reading if request.method == "GET" else engine) as db:
        yield db


Db = Annotated[AsyncSession, Depends(get_db)]
