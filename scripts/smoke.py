"""Signs up and in and out again at the API that ``make up`` started, the way any client would.

Runs on whatever ``python3`` a machine has (3.9 or later): who uses Docker needs no other.
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
FORM = "application/x-www-form-urlencoded"


class SmokeError(Exception):
    """The API does not do what it should."""


class Client:
    """Takes one step after the other and prints how each went."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self.headers: dict[str, str] = {}

    def step(self, method: str, path: str, *expected: int, body: str = "", type_: str = JSON) -> tuple[int, Any]:
        """The status, which is one of ``expected``, and the JSON of the answer to one request.

        Raises:
            SmokeError: there was another answer, or none.

        """
        started = time.perf_counter()
        status, text = self._request(method, path, body, type_)
        milliseconds = (time.perf_counter() - started) * 1000
        print(f"{method:7}{path:28}{status:4}{milliseconds:8.1f} ms", flush=True)
        if status not in expected:
            raise SmokeError(f"{method} {path} answers {status}, not {' or '.join(map(str, expected))}: {text[:300]}")
        return status, _parsed(method, path, text)

    def _request(self, method: str, path: str, body: str, type_: str) -> tuple[int, str]:
        connection = HTTPConnection(*self._address, timeout=TIMEOUT)  # urllib would ask a proxy
        try:
            connection.request(
                method, path, body or None, {**self.headers, **({"Content-Type": type_} if body else {})}
            )
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        except (OSError, HTTPException) as error:
            raise SmokeError(f"{method} {path} at {':'.join(map(str, self._address))}: {error}; is it up?") from None
        finally:
            connection.close()


def smoke(client: Client) -> None:
    """Every step, in the order in which a person would come to it."""
    user = {
        "email": f"smoke-{secrets.token_hex(8)}@example.com",
        "password": secrets.token_urlsafe(24),
        "display_name": "Smoke",
    }
    client.step("GET", "/health/live", 200)
    client.step("GET", "/health/ready", 200)
    client.step("GET", "/users/me", 401)
    _, registered = client.step("POST", "/auth/register", 201, body=json.dumps(user))
    tokens = _sign_in(client, user)
    client.headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    _, me = client.step("GET", "/users/me", 200)
    _require(me["id"] == registered["id"], "/users/me is not who registered")
    client.step("GET", "/authenticated-route", 200)
    groups(client)
    own_group(client)
    refresh(client, tokens["refresh_token"])
    client.step("POST", "/auth/jwt/logout", 204)
    client.step("GET", "/users/me", 401)


def refresh(client: Client, token: str) -> None:
    """The next tokens, of which the access token is used from here on."""
    form = urlencode({"grant_type": "refresh_token", "refresh_token": token})
    _, tokens = client.step("POST", "/auth/jwt/refresh", 200, body=form, type_=FORM)
    client.headers = {"Authorization": f"Bearer {tokens['access_token']}"}


def groups(client: Client) -> None:
    """The groups, and the users of the one that sample data have; those take no token."""
    _, listed = client.step("GET", "/user-groups", 200)
    _require(isinstance(listed, list), "/user-groups is no list")
    status, _ = client.step("GET", "/user-groups/1", 200, 404)
    client.headers, signed_in = {}, client.headers
    _, users = client.step("GET", "/user-groups/1/users", status)
    client.headers = signed_in
    if status == 404:  # noqa: PLR2004  # HTTP's "not found"
        print("There is no group 1: make seed adds sample data")
    else:
        _require(isinstance(users, list), "/user-groups/1/users is no list")


def own_group(client: Client) -> None:
    """A group of one's own, which is deleted again: nothing is left behind."""
    _, group = client.step("POST", "/user-groups", 201, body=json.dumps({"name": f"Smoke {secrets.token_hex(4)}"}))
    _require((group["my_role"], group["member_count"]) == ("owner", 1), "who makes a group does not own it")
    _, mine = client.step("GET", "/users/me/groups", 200)
    _require([each["id"] for each in mine] == [group["id"]], "/users/me/groups has not the group that was made")
    client.step("DELETE", f"/user-groups/{group['id']}", 204)


def _sign_in(client: Client, user: dict[str, str]) -> dict[str, str]:
    form = urlencode({"username": user["email"], "password": user["password"]})
    tokens: dict[str, str]
    _, tokens = client.step("POST", "/auth/jwt/login", 200, body=form, type_=FORM)
    _require(tokens["token_type"] == "bearer", "the token is no bearer token")  # noqa: S105  # a kind, no secret
    return tokens


def _require(condition: object, failure: str) -> None:
    if not condition:
        raise SmokeError(failure)


def _parsed(method: str, path: str, text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        raise SmokeError(f"{method} {path} answers no JSON: {text[:300]}") from None


if __name__ == "__main__":
    try:
        smoke(Client(*address(effective())))
    except (SmokeError, OSError, ValueError) as error:
        sys.exit(f"smoke: {error}")
    except (KeyError, TypeError) as error:
        sys.exit(f"smoke: an answer is not as expected: {error!r}")
    print("Everything answers as it should")
