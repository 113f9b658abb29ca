"""Smoke test: signs up, signs in, uses a group and signs out, over HTTP, at the API that ``make up`` started.

Unless SIGN_UP is ``open``, an account needs a mail, so the test ends after the sign-up. Needs only Python 3.9, since
people who use Docker have no other on their machine.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlencode

from environment import address, effective

TIMEOUT = 30.0
JSON = "application/json"
REGISTERED = {"open": 201, "verified": 201, "invited": 403, "closed": 403}  # status by SIGN_UP
FORM = "application/x-www-form-urlencoded"


class SmokeError(Exception):
    """The API did not behave as expected."""


class Client:
    """Sends requests and prints a line for each."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self.headers: dict[str, str] = {}

    def step(self, method: str, path: str, *expected: int, body: str = "", type_: str = JSON) -> tuple[int, Any]:
        """Send a request; return its status and the JSON of the response.

        Raises:
            SmokeError: the status is not one of ``expected``, or there was no response.

        """
        started = time.perf_counter()
        status, text = self._request(method, path, body, type_)
        milliseconds = (time.perf_counter() - started) * 1000
        print(f"{method:7}{path:28}{status:4}{milliseconds:8.1f} ms", flush=True)
        if status not in expected:
            raise SmokeError(f"{method} {path} returned {status}, not {' or '.join(map(str, expected))}: {text[:300]}")
        return status, _parsed(method, path, text)

    def _request(self, method: str, path: str, body: str, type_: str) -> tuple[int, str]:
        connection = HTTPConnection(*self._address, timeout=TIMEOUT)  # urllib would use HTTP_PROXY
        try:
            connection.request(
                method, path, body or None, {**self.headers, **({"Content-Type": type_} if body else {})}
            )
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        except (OSError, HTTPException) as error:
            raise SmokeError(
                f"{method} {path} at {':'.join(map(str, self._address))}: {error}; is the API running?"
            ) from None
        finally:
            connection.close()


def smoke(client: Client, sign_up: str) -> None:
    """Run every step, in the order in which a user would. ``sign_up`` is the setting."""
    user = {
        "email": f"smoke-{secrets.token_hex(8)}@example.com",
        "password": secrets.token_urlsafe(24),
        "display_name": "Smoke",
    }
    client.step("GET", "/health/live", 200)
    client.step("GET", "/health/ready", 200)
    client.step("GET", "/users/me", 401)
    _, registered = client.step("POST", "/auth/register", REGISTERED[sign_up], body=json.dumps(user))
    if sign_up != "open":
        print(f"SIGN_UP is {sign_up}: signing in takes an account, so it was not tried")
        return
    tokens = _sign_in(client, user)
    client.headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    _, me = client.step("GET", "/users/me", 200)
    _require(me["id"] == registered["id"], "/users/me is not the registered user")
    client.step("GET", "/authenticated-route", 200)
    groups(client)
    own_group(client)
    refresh(client, tokens["refresh_token"])
    client.step("POST", "/auth/jwt/logout", 204)
    client.step("GET", "/users/me", 401)


def refresh(client: Client, token: str) -> None:
    """Refresh the tokens, and use the new access token from here on."""
    form = urlencode({"grant_type": "refresh_token", "refresh_token": token})
    _, tokens = client.step("POST", "/auth/jwt/refresh", 200, body=form, type_=FORM)
    client.headers = {"Authorization": f"Bearer {tokens['access_token']}"}


def groups(client: Client) -> None:
    """List the groups, and the users of the sample group, which needs no token."""
    _, listed = client.step("GET", "/user-groups", 200)
    _require(isinstance(listed, list), "/user-groups did not return a list")
    status, _ = client.step("GET", "/user-groups/1", 200, 404)
    client.headers, signed_in = {}, client.headers
    _, users = client.step("GET", "/user-groups/1/users", status)
    client.headers = signed_in
    if status == 404:  # noqa: PLR2004  # HTTP's "not found"
        print("Group 1 does not exist; make seed adds sample data")
    else:
        _require(isinstance(users, list), "/user-groups/1/users did not return a list")


def own_group(client: Client) -> None:
    """Create a group and delete it again."""
    _, group = client.step("POST", "/user-groups", 201, body=json.dumps({"name": f"Smoke {secrets.token_hex(4)}"}))
    _require((group["my_role"], group["member_count"]) == ("owner", 1), "the creator of a group is not its owner")
    _, mine = client.step("GET", "/users/me/groups", 200)
    _require([listed["id"] for listed in mine] == [group["id"]], "/users/me/groups does not contain the new group")
    client.step("DELETE", f"/user-groups/{group['id']}", 204)


def _sign_in(client: Client, user: dict[str, str]) -> dict[str, str]:
    form = urlencode({"username": user["email"], "password": user["password"]})
    tokens: dict[str, str]
    _, tokens = client.step("POST", "/auth/jwt/login", 200, body=form, type_=FORM)
    _require(tokens["token_type"] == "bearer", "the token is not a bearer token")  # noqa: S105  # a token type, not a secret
    return tokens


def _require(condition: object, failure: str) -> None:
    if not condition:
        raise SmokeError(failure)


def _parsed(method: str, path: str, text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        raise SmokeError(f"{method} {path} did not return JSON: {text[:300]}") from None


if __name__ == "__main__":
    try:
        variables = effective()
        smoke(Client(*address(variables)), variables.get("SIGN_UP") or "verified")
    except (SmokeError, OSError, ValueError) as error:
        sys.exit(f"smoke: {error}")
    except (KeyError, TypeError) as error:
        sys.exit(f"smoke: unexpected response: {error!r}")
    print("The API works")
