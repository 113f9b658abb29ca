"""The client IP in the audit log."""

from fastapi import Request
from sqlmodel import select

from accounts.api.dependencies import request_context
from accounts.db.session import transaction
from accounts.domain.audit.log import Action, record
from accounts.models import AuditEvent
from support.people import World


async def test_client_ip_that_does_not_fit_the_column_is_cut_and_stripped_of_control_characters(world: World) -> None:
    """A proxy may forward any text as the client IP; PostgreSQL refuses NUL."""
    request = Request({"type": "http", "headers": [], "client": ("\0" + "x" * 100, 1)})
    async with transaction(world.sessionmaker, request_context(request)) as db:
        await record(db, Action.SESSION_REFUSED)
    async with transaction(world.sessionmaker) as db:
        assert (await db.exec(select(AuditEvent.address))).all() == ["x" * 45]
