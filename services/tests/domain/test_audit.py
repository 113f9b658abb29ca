"""The record, where no route leads."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import func, select

from accounts.database import transaction
from accounts.domain.audit import Action, prune, record
from accounts.models import AuditEvent
from people import OWNER, World

OLD = "INSERT INTO audit_event (action, at) SELECT 'old', now() - interval '25 h' * i FROM generate_series(9, 12) i"


async def test_a_strange_address_is_no_failure(world: World) -> None:
    """What a proxy says may be too long for the column, or hold what PostgreSQL refuses."""
    async with transaction(world.sessionmaker, address="\0" + "x" * 100) as session:
        await record(session, Action.SESSION_REFUSED)
    async with transaction(world.sessionmaker) as session:
        assert (await session.exec(select(AuditEvent.address))).all() == ["x" * 45]


async def test_what_is_too_old_is_pruned(world: World) -> None:
    await world.sql(OLD)
    async with transaction(world.sessionmaker) as session:
        await (await session.connection()).execute(text(f"SET ROLE {OWNER}"))
        assert await prune(session, 10) == 3
        assert (await session.exec(select(func.count()).select_from(AuditEvent))).one() == 1


async def test_the_api_cannot_prune(world: World) -> None:
    with pytest.raises(DBAPIError, match="permission denied for table audit_event"):
        async with transaction(world.sessionmaker) as session:
            await prune(session, 10)
