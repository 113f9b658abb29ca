"""Queries on the audit log: all events for superusers, and a user's own activity."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import union
from sqlmodel import col, select

from accounts.db.session import Session
from accounts.db.statements import CUSTOM_PLANS
from accounts.domain.keyset import Keyset, parse_row_id, requested_position
from accounts.models import AuditEvent, User
from accounts.models.audit import IS_CHANGE
from accounts.schemas.audit import AuditQuery, PersonalEvent
from accounts.schemas.pagination import Page, PageQuery


async def list_events(db: Session, query: AuditQuery) -> Page[AuditEvent]:
    """List the events that match the filters of ``query``, newest first.

    Raises:
        BadCursor: the cursor does not belong to this list.

    """
    statement = select(AuditEvent)
    filters = query.model_dump(include={"action", "actor_id", "user_id", "group_id"}, exclude_none=True)
    for name, value in filters.items():
        statement = statement.where(getattr(AuditEvent, name) == value)
    if query.changes:
        statement = statement.where(IS_CHANGE)
    if query.since:
        statement = statement.where(col(AuditEvent.at) >= query.since)
    if query.until:
        statement = statement.where(col(AuditEvent.at) < query.until)
    if filters:
        await CUSTOM_PLANS.run(db)
    return await NEWEST_FIRST.page(db, statement, query)


async def list_events_of(db: Session, query: PageQuery, user: User) -> Page[AuditEvent]:
    """List the events that a user caused or was affected by, for superusers, newest first.

    Raises:
        BadCursor: the cursor does not belong to this list.

    """
    page: Page[AuditEvent] = await NEWEST_FIRST.page(db, _select_activity(user, query), query)
    return page


async def list_activity(db: Session, query: PageQuery, user: User) -> Page[PersonalEvent]:
    """List the events of a user for that user: without the identity of others; see ``list_events_of``.

    Raises:
        BadCursor: the cursor does not belong to this list.

    """
    page: Page[Any] = await list_events_of(db, query, user)
    return replace(page, rows=[_to_personal_event(user, event) for event in page.rows])


def _select_activity(user: User, query: PageQuery) -> Any:
    # One page by each column's index, then the page of both. An OR would read and sort all events of the user.
    pages = [
        NEWEST_FIRST.window(select(AuditEvent.at, AuditEvent.id).where(column == user.id), requested_position(query))
        for column in (col(AuditEvent.user_id), col(AuditEvent.actor_id))
    ]
    keys = union(*pages).subquery()
    return select(AuditEvent).join(keys, keys.c.id == AuditEvent.id)


def _to_personal_event(user: User, event: AuditEvent) -> PersonalEvent:
    """Convert an event for a user who caused it or was affected by it, without the identity and client IP of others."""
    by_me = event.actor_id == user.id
    return PersonalEvent(
        **event.model_dump(include={"id", "at", "action", "group_id", "detail"}),
        by_me=by_me,
        to_me=event.user_id == user.id,
        address=event.address if by_me or event.actor_id is None else "",
    )


def _parse_cursor(text: str) -> tuple[Any, ...]:
    timestamp, _, row_id = text.partition(" ")
    at = datetime.fromisoformat(timestamp)
    if at.tzinfo is None:
        raise ValueError(text)
    return at.astimezone(UTC), parse_row_id(row_id)


# By time first: a query plan by id alone would read all events newer than ``until``.
NEWEST_FIRST = Keyset(
    columns=(col(AuditEvent.at), col(AuditEvent.id)),
    text=lambda event: f"{event.at.isoformat()} {event.id}",
    parse=_parse_cursor,
    descending=True,
)
