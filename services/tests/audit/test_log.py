"""The record, where no route leads."""

from sqlmodel import select

from accounts.db.session import transaction
from accounts.domain.audit.log import Action, record
from accounts.models import AuditEvent
from support.people import World


async def test_a_strange_address_is_no_failure(world: World) -> None:
    """What a proxy says may be too long for the column, or hold what PostgreSQL refuses."""
    async with transaction(world.sessionmaker, address="\0" + "x" * 100) as session:
        await record(session, Action.SESSION_REFUSED)
    async with transaction(world.sessionmaker) as session:
        assert (await session.exec(select(AuditEvent.address))).all() == ["x" * 45]
