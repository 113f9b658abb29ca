"""The workloads that write: sign-ins, sign-ups, refreshes, and changes of users and members, each of another row."""

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from benchmarks.api import FORM, JSON, Api
from benchmarks.api import PASSWORD as NEW_PASSWORD
from benchmarks.data import PASSWORD
from benchmarks.load import COUNT, TOKEN
from benchmarks.target import Target, request

REFRESHING = 16  # sessions of as many users, one for each connection


def login(target: Target) -> dict[str, Any]:
    """Sign in."""
    emails = target.data.textbook_emails if target.server == "textbook" else target.data.emails
    forms = [urlencode({"username": email, "password": PASSWORD}) for email in emails]
    return {"requests": [request("POST", "/auth/jwt/login", FORM, form) for form in forms]}


def register(_: Target) -> dict[str, Any]:
    """Sign up with a new email address."""
    body = json.dumps({"email": f"new{COUNT.decode()}@bench.example.com", "password": NEW_PASSWORD})
    return {"requests": [request("POST", "/auth/register", JSON, body)], "status": HTTPStatus.CREATED}


def refresh(target: Target) -> dict[str, Any]:
    """Exchange refresh tokens for their successors, in sessions that go on in later jobs."""
    with closing(Api(target.port)) as api:
        tokens = [api.tokens(email, PASSWORD)["refresh_token"] for email in target.data.emails[:REFRESHING]]
    chained = _refreshing(tokens[0]).replace(tokens[0], TOKEN.decode())
    return {"requests": list(map(_refreshing, tokens)), "chained": chained, "chain": str(target.port)}


def update_me(target: Target) -> dict[str, Any]:
    """Change the caller's name to a new one."""
    body = json.dumps({"display_name": f"Name {COUNT.decode()}"})
    return {"requests": [request("PATCH", "/users/me", {**user, **JSON}, body) for user in target.readers()]}


def change_role(target: Target) -> dict[str, Any]:
    """Change members' roles and change them back, each owner in a group of their own: every request changes a row."""
    circles = list(zip(target.readers(), target.data.circles, strict=False))
    members = range(len(circles[0][1][1]))
    changes = [(owner, group, ids[each], role) for each in members for role in ROLES for owner, (group, ids) in circles]
    return {
        "requests": [
            request("PATCH", f"/user-groups/{group}/users/{user_id}", {**owner, **JSON}, json.dumps({"role": role}))
            for owner, group, user_id, role in changes
        ]
    }


def _refreshing(token: str) -> str:
    return request("POST", "/auth/jwt/refresh", FORM, "refresh_token=" + token)


ROLES = ("admin", "member")
CHANGES: Mapping[str, Callable[[Target], dict[str, Any]]] = {
    "login": login,
    "register": register,
    "refresh": refresh,
    "update me": update_me,
    "change role": change_role,
}
