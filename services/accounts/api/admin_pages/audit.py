"""The audit log: what happened, the newest first, with filters."""

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from operator import itemgetter
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from accounts.api.account_pages.filters import CHOOSE, NOTHING, Filters
from accounts.api.account_pages.navigation import NavItem
from accounts.api.account_pages.paths import ADMIN
from accounts.api.account_pages.render import render_page, request_language
from accounts.api.admin_pages.event_rows import event_rows
from accounts.api.admin_pages.queries import OptionalText, list_url
from accounts.api.admin_pages.sentences import WORDS
from accounts.api.dependencies import DbDep, UserManagerDep
from accounts.domain import errors
from accounts.domain.audit.history import list_events
from accounts.domain.audit.subjects import load_subjects
from accounts.domain.identity.users import UserManager
from accounts.schemas.audit import AuditQuery
from accounts.translations import N_

LOG = f"{ADMIN}/audit"
router = APIRouter(prefix=LOG)
NAV = (NavItem("/audit", N_("Audit log"), N_("See what happened, when, and who caused it.")),)
DAY = timedelta(days=1)
NO_USER = N_("No user has this email address. For a deleted account, enter its ID.")
NO_GROUP = N_("Enter the number of a group, as in the address of its page.")
NO_DATE = N_("Enter a date like 2026-01-31.")
EVERYTHING = N_("Everything")
CHANGES, WITHOUT_SIGN_INS = "changes", N_("Everything but sign-ins")
LAST_GROUP = 2**63 - 1


class AuditSearch(Filters):
    """The filters as the form sends them: users by email address or id, days in UTC."""

    action: OptionalText = None
    by: OptionalText = None
    about: OptionalText = None
    group: OptionalText = None
    since: OptionalText = None
    until: OptionalText = None


@router.get("")
async def audit_page(
    request: Request, db: DbDep, users: UserManagerDep, query: Annotated[AuditSearch, Query()]
) -> Response:
    """List the events that match the filters."""
    gettext = request_language(request).gettext
    search = await _parse(query, users, query.faults)
    page = NOTHING if query.faults else await list_events(db, search)
    return render_page(
        request,
        "admin/audit",
        query.status,
        failure=query.failure(request),
        page=page,
        rows=event_rows(page.rows, await load_subjects(db, page.rows), gettext),
        actions=_choices(gettext),
        filtered=list_url(LOG, query) != LOG,
        url=list_url(LOG, query),
        log_url=LOG,
    )


def _choices(gettext: Callable[[str], str]) -> list[tuple[str, str]]:
    actions = ((name, gettext(words.name)) for name, words in WORDS.items())
    return [("", gettext(EVERYTHING)), (CHANGES, gettext(WITHOUT_SIGN_INS)), *sorted(actions, key=itemgetter(1))]


async def _parse(query: AuditSearch, users: UserManager, faults: dict[str, str]) -> AuditQuery:
    """Return the filters for the domain. What cannot be one is added to ``faults``."""
    values: dict[str, Any] = {
        "action": _action(query.action, faults),
        "changes": query.action == CHANGES,
        "actor_id": await _user_id(query.by, users, "by", faults),
        "user_id": await _user_id(query.about, users, "about", faults),
        "group_id": _group_id(query.group, faults),
        "since": _day(query.since, "since", faults),
    }
    until = _day(query.until, "until", faults)
    values["until"] = until + DAY if until and until.date() < date.max else None
    return AuditQuery.model_construct(limit=query.limit, cursor=query.cursor, **values)


def _action(name: str | None, faults: dict[str, str]) -> str | None:
    if name in {None, CHANGES}:
        return None
    if name not in WORDS:
        faults["action"] = CHOOSE
    return name


async def _user_id(text: str | None, users: UserManager, field: str, faults: dict[str, str]) -> uuid.UUID | None:
    if not text:
        return None
    try:
        return uuid.UUID(text) if "@" not in text else (await users.get_by_email(text)).id
    except (ValueError, errors.UserNotFound):
        faults[field] = NO_USER
        return None


def _group_id(text: str | None, faults: dict[str, str]) -> int | None:
    if not text:
        return None
    if text.isdecimal() and text.isascii() and 0 < int(text) <= LAST_GROUP:
        return int(text)
    faults["group"] = NO_GROUP
    return None


def _day(text: str | None, field: str, faults: dict[str, str]) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        faults[field] = NO_DATE
        return None
