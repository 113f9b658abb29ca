"""Every filter of the lists of users and events, and all pairs of them, are read from an index."""

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import pytest

from accounts.api.admin_pages.users import SHOWN
from accounts.db.session import Session
from accounts.domain.audit.history import list_events
from accounts.domain.identity.user_search import NEWEST_FIRST, list_users
from accounts.domain.invitations.invitation_list import list_sent_to
from accounts.domain.people import Caller
from accounts.domain.sessions.last_sign_ins import list_last_sign_ins
from accounts.schemas.audit import AuditQuery
from accounts.schemas.identity.users import UserQuery
from accounts.schemas.pagination import PageQuery
from support.people import World
from support.schema import plan_without_scans

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
VALUES = {
    "action": "session.started",
    "actor_id": uuid.UUID(int=1),
    "user_id": uuid.UUID(int=1),
    "group_id": 1,
    "changes": True,
    "since": SINCE,
    "until": SINCE,
}
FILTERS = [{name: VALUES[name] for name in names} for number in range(3) for names in combinations(VALUES, number)]
SEARCHES: list[dict[str, Any]] = [{}, {"email": "a"}, {"name": "a"}]
Run = Callable[[Session], Awaitable[object]]


async def check(world: World, run: Run) -> str:
    plan = await plan_without_scans(world.sessionmaker, run, "sort")
    assert "Seq Scan" not in plan, plan
    assert "Sort" not in plan, plan
    return plan


def test_all_filters_of_events_are_tried() -> None:
    assert VALUES.keys() == AuditQuery.model_fields.keys() - PageQuery.model_fields.keys()


@pytest.mark.parametrize("values", FILTERS, ids="-".join)
async def test_events_are_read_in_order_from_an_index(world: World, values: dict[str, Any]) -> None:
    await check(world, lambda db: list_events(db, AuditQuery.model_construct(limit=50, cursor=None, **values)))


@pytest.mark.parametrize("search", SEARCHES, ids=str)
@pytest.mark.parametrize("shown", SHOWN)
async def test_users_are_read_in_order_from_an_index(world: World, shown: str, search: dict[str, Any]) -> None:
    query = UserQuery(**search, **SHOWN[shown][1])
    await check(world, lambda db: list_users(db, query, unsearched=NEWEST_FIRST))


async def test_last_sign_ins_are_read_by_the_indexes_of_users(world: World) -> None:
    users = [(await world.user(name)).id for name in ("arthur", "bors")]

    plan = await plan_without_scans(world.sessionmaker, lambda db: list_last_sign_ins(db, users))

    assert "Seq Scan" not in plan, plan
    assert "ix_user_session_user_id_created_at" in plan
    assert "pk_known_device" in plan


async def test_events_of_an_action_in_a_group_have_an_index(world: World) -> None:
    """Otherwise the page of a large group, and of an action that it has no events of, would read all of its events."""
    events = "INSERT INTO audit_event (action, group_id) SELECT 'group.changed', 1 FROM generate_series(1, 3000)"
    await world.sql(events)
    query = AuditQuery(action="session.started", group_id=1)

    assert "ix_audit_event_group_id_action_at_id" in await check(world, lambda db: list_events(db, query))


async def test_own_invitations_are_read_by_id_and_by_address(world: World) -> None:
    user = await world.user("arthur", is_verified=True)

    plan = await plan_without_scans(world.sessionmaker, lambda db: list_sent_to(db, Caller.of(db, user), PageQuery()))

    assert "Seq Scan" not in plan
    assert "uq_invitation_user_id_group_id" in plan
    assert "ix_invitation_email_lower_id" in plan
