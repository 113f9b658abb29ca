"""Rows of the audit log: each event as a sentence with links, and who caused it."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from accounts.api.account_pages.paths import ADMIN
from accounts.api.admin_pages.sentences import ROLES, sentences_of
from accounts.domain.audit.subjects import NamedUser, Subjects
from accounts.models import AuditEvent
from accounts.translations import N_
from accounts.user_agent import Device

MISSING = "?"
LINK = Markup('<a href="{}"><bdi>{}</bdi></a>')
UNKNOWN_USER = N_("an unknown user")
DELETED_USER = N_("a deleted user")
DELETED_GROUP = N_("no. %(id)s (deleted)")
VISITOR = N_("A visitor who wasn't signed in")
PROGRAM = N_("A command, or the service itself")


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event in words: what happened, who caused it and from where, and names and values of its detail."""

    event: AuditEvent
    what: Markup
    caused_by: Markup
    device: str
    detail: Sequence[tuple[str, str]]


def event_rows(events: Sequence[AuditEvent], subjects: Subjects, gettext: Callable[[str], str]) -> Sequence[EventRow]:
    """Return a row for each event."""

    def user_link(user_id: uuid.UUID | None) -> Markup:
        if user_id is None:
            return Markup.escape(gettext(UNKNOWN_USER))
        user = subjects.users.get(user_id)
        if user is None:
            return LINK.format(f"{ADMIN}/audit?about={user_id}", gettext(DELETED_USER))
        return LINK.format(f"{ADMIN}/users/{user_id}", _name(user))

    def group_link(group_id: int | None) -> Markup:
        if name := subjects.groups.get(group_id or 0):
            return LINK.format(f"{ADMIN}/groups/{group_id}", name)
        return LINK.format(f"{ADMIN}/audit?group={group_id}", gettext(DELETED_GROUP) % {"id": group_id})

    def value(name: str, event: AuditEvent) -> str:
        given = _text(event.detail.get(name, MISSING))
        return gettext(ROLES[given]) if name in {"role", "was"} and given in ROLES else given

    def row(event: AuditEvent) -> EventRow:
        names = {"user": user_link(event.user_id), "group": group_link(event.group_id)}
        values = {name: value(name, event) for name in ("role", "was", "count", "name")}
        unknown = gettext(VISITOR if event.address else PROGRAM)
        caused_by = user_link(event.actor_id) if event.actor_id else Markup.escape(unknown)
        sentences = [Markup(gettext(each)) % (values | names) for each in sentences_of(event)]  # noqa: S704  # ours
        device = Device.recorded(event.detail)
        detail = [(name, _text(each)) for name, each in sorted(event.detail.items()) if name not in Device._fields]
        return EventRow(event, Markup("; ").join(sentences), caused_by, device.name(gettext) if device else "", detail)

    return [row(event) for event in events]


def _name(user: NamedUser) -> str:
    """Return the email address, which is unique; service accounts have none."""
    return user.email if user.owner_group_id is None else user.display_name


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {each}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
