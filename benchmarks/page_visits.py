"""The requests of ``make bench ARGS=pages``: each GET route of the pages, with its searches and filters."""

import re
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from urllib.parse import urlencode

from accounts.api.account_pages.router import MODULES as ACCOUNT_PAGES
from accounts.api.admin_pages.router import MODULES as ADMIN_PAGES
from accounts.api.admin_pages.sentences import WORDS
from accounts.api.admin_pages.user_action_table import ACTIONS
from accounts.api.admin_pages.users import SHOWN
from accounts.models import Role, Visibility
from accounts.schemas.figures import Span
from benchmarks.page_data import HEAVY, SUPERUSER

# Files are streamed, and as long as the data that they are for.
FILES = {"/account/data/download", "/account/groups/{group_id}/members.csv"}
DAYS_AGO = [f"{datetime.now(UTC) - timedelta(days):%Y-%m-%d}" for days in (40, 10)]
DAYS: Sequence[Mapping[str, str]] = (
    {},
    {"since": DAYS_AGO[1]},
    {"since": DAYS_AGO[0], "until": DAYS_AGO[1]},
    {"until": DAYS_AGO[0]},
)
LAST = urlsafe_b64encode(b"<").rstrip(b"=").decode()
Choices = Mapping[str, Sequence[Any]]
# Values of the filters of each list: many rows, one, none. All combinations are requested.
FILTERS: dict[str, Choices] = {
    "/account/groups": {"role": ["", *Role]},
    "/account/groups/{group_id}": {
        "q": ["", "Alex", "Müller Family7", "李 family77", "Nobody", "family7@", "family1", "a@"],
        "role": ["", *Role],
    },
    "/admin": {"period": list(Span)},
    "/admin/users": {
        "q": ["", "f", "family7", "Alex", "Müller Family77", "супер", "family777.777@example27.com", "nobody"],
        "by": ["email", "name"],
        "show": list(SHOWN),
    },
    "/admin/groups": {
        "q": ["", "Team", "team berlin 77", "équipe", "部門 2", "nothing"],
        "visibility": ["", *Visibility],
    },
    "/admin/mail": {"q": ["", HEAVY, "guest3@example.org", "nobody@example.org"]},
}
EVENTS: Choices = {
    "action": ["", "changes", "session.started", "membership.created", "user.deleted"],
    "by": ["", HEAVY, SUPERUSER],
    "about": ["", HEAVY],
    "group": ["", 1],
    "days": DAYS,
}
# The text of the key in the middle of a list, for its cursor; see ``accounts.domain.keyset``.
MIDDLES = {
    "/account/groups": "SELECT group_id FROM membership WHERE user_id = {user} ORDER BY 1 OFFSET {half} / 100 LIMIT 1",
    "/account/groups/{group_id}": "SELECT user_id FROM membership WHERE group_id = 1 ORDER BY 1 OFFSET {half} / 10",
    "/account/groups/{group_id}/invitations": (
        "SELECT id FROM invitation WHERE group_id = 1 ORDER BY id OFFSET {half} / 100"
    ),
    "/account/invitations": "SELECT id FROM invitation WHERE lower(email) = '{heavy}' ORDER BY id OFFSET {half} / 100",
    "/admin/users": 'SELECT id FROM "user" ORDER BY id OFFSET {half}',
    "/admin/groups": "SELECT id || ' ' || name FROM user_group ORDER BY lower(name) OFFSET {half} / 10",
    "/admin/mail": "SELECT id FROM outbox WHERE parked_at IS NOT NULL ORDER BY id OFFSET {half} / 10",
}


@dataclass(frozen=True)
class Visit:
    """A page to request: its route, who requests it, and its URL."""

    route: str
    email: str
    url: str


def routes() -> list[str]:
    """Return the paths of all pages of the application, without types of parameters, except for files."""
    found = [route for module in (*ACCOUNT_PAGES, *ADMIN_PAGES) for route in module.router.routes]
    paths = [re.sub(r":\w+}", "}", route.path) for route in found if "GET" in route.methods]
    return [path for path in paths if path not in FILES]


def visits(users: int, ids: Mapping[str, str]) -> Iterator[Visit]:
    """Yield the first pages, with all combinations of filters.

    Args:
        users: how many there are.
        ids: values for the other parameters of paths.

    Raises:
        SystemExit: a route has a parameter without a value here.

    """
    for route in routes():
        admin = route.startswith("/admin")
        for email in (SUPERUSER,) if admin else (SUPERUSER, HEAVY, ""):
            group_id = str(users // 10) if email == HEAVY else "1"
            values = {**ids, "group_id": group_id, "import_id": group_id}  # see pages.sql
            for action in ACTIONS if "{action}" in route else [""]:
                path = _fill(route, {**values, "action": action})
                yield from (Visit(route, email, url) for url in _filtered(route, path))


def _fill(route: str, values: Mapping[str, str]) -> str:
    try:
        return re.sub(r"{(\w+)}", lambda match: values[match[1]], route)
    except KeyError as name:
        sys.exit(f"benchmarks: no value for {name} in {route}: add one to pages.IDS")


def _filtered(route: str, path: str) -> Iterator[str]:
    combinations = _combinations(EVENTS if route == "/admin/audit" else FILTERS.get(route, {}))
    if route == "/admin/audit":
        combinations = [*combinations, *({"action": action} for action in WORDS)]
    for each in combinations:
        yield f"{path}?{urlencode(each)}" if each else path


def _combinations(choices: Choices) -> list[dict[str, Any]]:
    found = []
    for values in product(*choices.values()):
        given = {name: value for name, value in zip(choices, values, strict=True) if value}
        found.append(given.pop("days", {}) | given)
    return found


def middle(key: str) -> str:
    """Return the cursor of the page after a key."""
    return urlsafe_b64encode(f">{key}".encode()).rstrip(b"=").decode()
