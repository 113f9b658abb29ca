"""The record of what happened: written in the transaction that does it, by whoever does it."""

import hashlib
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import union
from sqlmodel import col, select

from accounts.database import Session
from accounts.domain.pages import Keyset, identity, place_of
from accounts.domain.prepared import Prepared
from accounts.models import AuditEvent, User
from accounts.models.session import ADDRESS_LENGTH
from accounts.schemas.audit import AuditQuery, PersonalEvent
from accounts.schemas.page import Page, PageQuery


class Action(StrEnum):
    """What can be recorded, named object.verb."""

    SESSION_STARTED = "session.started"
    SESSION_REFUSED = "session.refused"
    SESSION_ENDED = "session.ended"
    SESSIONS_REVOKED = "sessions.revoked"
    REFRESH_REUSED = "refresh.reused"
    USER_CREATED = "user.created"
    USER_CHANGED = "user.changed"
    USER_DELETED = "user.deleted"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105  # a name
    EMAIL_CHANGED = "email.changed"
    GROUP_CREATED = "group.created"
    GROUP_CHANGED = "group.changed"
    GROUP_DELETED = "group.deleted"
    MEMBERSHIP_CREATED = "membership.created"
    MEMBERSHIP_CHANGED = "membership.changed"
    MEMBERSHIP_DELETED = "membership.deleted"
    INVITATION_CREATED = "invitation.created"
    INVITATION_RESENT = "invitation.resent"
    INVITATION_REVOKED = "invitation.revoked"
    INVITATION_ACCEPTED = "invitation.accepted"
    INVITATION_DECLINED = "invitation.declined"
    MEMBERS_IMPORTED = "members.imported"
    PRUNED = "pruned"


# What somebody who is not signed in can only do as the user that it is about.
PROVEN = {
    Action.SESSION_STARTED,
    Action.USER_CREATED,
    Action.USER_CHANGED,
    Action.PASSWORD_CHANGED,
    Action.MEMBERSHIP_CREATED,
    Action.INVITATION_ACCEPTED,
}


RECORD = Prepared("""
    INSERT INTO audit_event (action, actor_id, user_id, group_id, address, detail)
    VALUES (:action, :actor_id, :user_id, :group_id, :address, :detail)
""")


async def record(
    session: Session,
    action: Action,
    *,
    user_id: uuid.UUID | None = None,
    group_id: int | None = None,
    **detail: Any,
) -> None:
    """Add an event to the session's transaction; the actor and the client's address are the session's own.

    ``user_id`` is whom it was done to. ``detail`` holds no secret, nobody's e-mail address and no other person's id:
    both the actor and the user may see it. What a command does has no actor and no address.
    """
    address = session.info.get("address")
    actor_id = session.info.get("actor_id")
    if address is not None and action in PROVEN:
        actor_id = actor_id or user_id
    values = {
        "action": action,
        "actor_id": actor_id,
        "user_id": user_id,
        "group_id": group_id,
        "address": of_client(session, "address", ADDRESS_LENGTH),
        "detail": json.dumps(detail),
    }
    await RECORD.run(session, **values)


def of_client(session: Session, name: str, length: int) -> str:
    """Give of what the session knows of its client what can be stored and shown; nothing where there is no client."""
    return "".join(filter(str.isprintable, session.info.get(name, "")))[:length]


async def record_refusal(session: Session, email: str, user: User | None) -> None:
    """Record a failed sign-in, by one statement for whatever address; if it is nobody's, its hash is kept."""
    digest = hashlib.sha256(email.lower().encode()).hexdigest()
    unknown: dict[str, Any] = {} if user else {"email_sha256": digest}
    await record(session, Action.SESSION_REFUSED, user_id=user.id if user else None, **unknown)


async def events(session: Session, query: AuditQuery) -> Page[AuditEvent]:
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
    return await NEWEST_FIRST.page(session, statement, query)


async def activity(session: Session, query: PageQuery, user: User) -> Page[PersonalEvent]:
    """List what a user did, and what was done to the user, the newest first.

    Raises:
        BadCursor: the cursor is none of this list's.

    """
    page = await NEWEST_FIRST.page(session, _theirs(user, query), query)
    return replace(page, rows=[_as_seen_by(user, event) for event in page.rows])


def _theirs(user: User, query: PageQuery) -> Any:
    # A page of each from its index, and the page from these: an OR would read and sort all that there ever was.
    pages = [
        NEWEST_FIRST.window(select(AuditEvent.at, AuditEvent.id).where(whose == user.id), place_of(query))
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
    return at.astimezone(UTC), identity(number)


# By time, and not by id alone: a plan by id would read all that is newer than ``until``.
NEWEST_FIRST = Keyset(
    columns=(col(AuditEvent.at), col(AuditEvent.id)),
    text=lambda event: f"{event.at.isoformat()} {event.id}",
    parse=_parse,
    descending=True,
)
