"""The workloads: which requests each server gets."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from accounts.seeder.sample import SUPERUSER
from benchmarks.api import FORM, JSON, Api
from benchmarks.api import PASSWORD as NEW_PASSWORD
from benchmarks.data import PASSWORD, Data
from benchmarks.load import COUNT, TOKEN

CONNECTIONS = 16
HASHING = 8
HASHING_SECONDS = 1.0  # at least
REFRESHING = 4  # each signs in first
SERVERS = {
    "members": ("project", "textbook", "floor"),
    "members, signed in": ("project", "textbook", "floor"),
    "users/me": ("project", "textbook", "floor"),
    "login": ("project", "textbook"),
    "register": ("project", "textbook"),
    "refresh": ("project",),
    "search": ("project",),
}
HASHED = ("login", "register")
READS = ("members", "middle page", "last page", "members, signed in", "users/me", "search")


@dataclass(frozen=True)
class Target:
    """A server on ``data``. ``issuer`` is the port of the server whose tokens it accepts."""

    server: str
    port: int
    issuer: int
    data: Data

    def job(self, workload: str, seconds: float, connections: int = CONNECTIONS) -> dict[str, Any]:
        """Return the job for the load process: ``workload`` for ``seconds``."""
        requests = getattr(self, "_" + workload.replace(",", "").replace("/", "_").replace(" ", "_"))
        defaults = {"port": self.port, "seconds": seconds, "connections": connections, "status": HTTPStatus.OK}
        job: dict[str, Any] = defaults | requests()
        if workload in HASHED:
            job |= {"connections": min(connections, HASHING), "seconds": max(seconds, HASHING_SECONDS)}
        return job

    def _members(self) -> dict[str, Any]:
        return _all([_request("GET", self._page())])

    def _middle_page(self) -> dict[str, Any]:
        return _all([_request("GET", self._page(self.data.middle))])

    def _last_page(self) -> dict[str, Any]:
        return _all([_request("GET", self._page(self.data.last))])

    def _members_signed_in(self) -> dict[str, Any]:
        return _all([_request("GET", self._page(), self._authorization())])

    def _users_me(self) -> dict[str, Any]:
        return _all([_request("GET", "/users/me", self._authorization())])

    def _search(self) -> dict[str, Any]:
        return _all([_request("GET", "/users?email=a&limit=20", self._authorization(SUPERUSER))])

    def _login(self) -> dict[str, Any]:
        emails = self.data.textbook_emails if self.server == "textbook" else self.data.emails
        forms = [urlencode({"username": email, "password": PASSWORD}) for email in emails]
        return _all([_request("POST", "/auth/jwt/login", FORM, form) for form in forms])

    def _register(self) -> dict[str, Any]:
        body = json.dumps({"email": f"new{COUNT.decode()}@bench.example.com", "password": NEW_PASSWORD})
        return _all([_request("POST", "/auth/register", JSON, body)]) | {"status": HTTPStatus.CREATED}

    def _refresh(self) -> dict[str, Any]:
        api = Api(self.port)
        tokens = [api.tokens(email, PASSWORD)["refresh_token"] for email in self.data.emails[:REFRESHING]]
        chained = _refreshing(tokens[0]).replace(tokens[0], TOKEN.decode())
        return _all(list(map(_refreshing, tokens))) | {"connections": REFRESHING, "chained": chained}

    def _page(self, last: str | None = None) -> str:
        # The project's cursor: the direction, and the key of the row before the page.
        cursor = "" if last is None else "&cursor=" + urlsafe_b64encode(f">{last}".encode()).rstrip(b"=").decode()
        return f"/user-groups/{self.data.group}/users?limit=50{cursor}"

    def _authorization(self, email: str | None = None) -> dict[str, str]:
        emails = self.data.textbook_emails if self.server == "textbook" else self.data.emails
        return {"Authorization": "Bearer " + Api(self.issuer).tokens(email or emails[0], PASSWORD)["access_token"]}


def _all(requests: Sequence[str]) -> dict[str, Any]:
    return {"requests": requests}


def _refreshing(token: str) -> str:
    return _request("POST", "/auth/jwt/refresh", FORM, "refresh_token=" + token)


def _request(method: str, path: str, headers: Mapping[str, str] | None = None, body: str = "") -> str:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Accept: */*"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines) + "\r\n\r\n" + body
