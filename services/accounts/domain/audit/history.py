"""Reading the audit log."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import union
from sqlmodel import col, select

from accounts.db.session import Session
from accounts.domain.keyset import Keyset, parse_row_id, requested_position
from accounts.models import AuditEvent, User
from accounts.schemas.audit import AuditQuery, PersonalEvent
from accounts.schemas.pagination import Page, PageQuery


async def list_events(db: Session, query: AuditQuery) -> Page[AuditEvent]:
    """List the events that ``query`` asks for, the newest first.

    Raises:
        BadCursor: the cursor is none of this list's.

    """
    statement = select(AuditEvent)
    wanted = query.model_dump(include={"action", "actor_id", "user_id", "group_id"}, exclude_none=True)
    for name, value in wanted.items():
        statement = statement.where(getattr(AuditEvent, name) == value)
    if query.since:
        statement = statement.where(col(AuditEvent.at) >= query.since)
    if query.until:
        statement = statement.where(col(AuditEvent.at) < query.until)
    return await NEWEST_FIRST.page(db, statement, query)


async def list_activity(db: Session, query: PageQuery, user: User) -> Page[PersonalEvent]:
    """List what a user did, and what was done to the user, the newest first.

    Raises:
        BadCursor: the cursor is none of this list's.

    """
    page = await NEWEST_FIRST.page(db, _theirs(user, query), query)
    return replace(page, rows=[_as_seen_by(user, event) for event in page.rows])


def _theirs(user: User, query: PageQuery) -> Any:
    # A page of each from its index, and the page from these: an OR would read and sort all that there ever was.
    pages = [
        NEWEST_FIRST.window(select(AuditEvent.at, AuditEvent.id).where(whose == user.id), requested_position(query))
        for whose in (col(AuditEvent.user_id), col(AuditEvent.actor_id))
    ]
    keys = union(*pages).subquery()
    return select(AuditEvent).join(keys, keys.c.id == AuditEvent.id)


def _as_seen_by(user: User, event: AuditEvent) -> PersonalEvent:
    """Show an event to whoever did it or had it done to them: of others neither who they are nor where they were."""
    by_me = event.actor_id == user.id
    return PersonalEvent(
        **event.model_dump(include={"id", "at", "action", "group_id", "detail"}),
        by_me=by_me,
        to_me=event.user_id == user.id,
        address=event.address if by_me or event.actor_id is None else "",
    )


def _parse(text: str) -> tuple[Any, ...]:
    instant, _, number = text.partition(" ")
    at = datetime.fromisoformat(instant)
    if at.tzinfo is None:
        raise ValueError(text)
    return at.astimezone(UTC), parse_row_id(number)


# By time, and not by id alone: a plan by id would read all that is newer than ``until``.
NEWEST_FIRST = Keyset(
    columns=(col(AuditEvent.at), col(AuditEvent.id)),
    text=lambda event: f"{event.at.isoformat()} {event.id}",
    parse=_parse,
    descending=True,
)
