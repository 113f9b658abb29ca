"""The requests that the peers get."""

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from benchmarks.api import FORM, JSON, Api
from benchmarks.data import PASSWORD
from benchmarks.load import TOKEN
from benchmarks.target import request

USERS, REFRESHING = 32, 16
PATHS = {
    "crudauth": {"users/me": "/me", "login": "/token", "refresh": "/refresh"},
    "fullauth": {"users/me": "/api/v1/auth/me", "login": "/api/v1/auth/login", "refresh": "/api/v1/auth/refresh"},
}


@dataclass
class PeerRequests:
    """The requests of a peer on a port, whose users sign in once."""

    name: str
    port: int

    def job(self, workload: str) -> dict[str, Any]:
        """Return the requests of a workload."""
        if workload == "login":
            return {"requests": [request("POST", *self._login(number)) for number in range(USERS)]}
        if workload == "refresh":
            return self._refreshes()
        users = [{"Authorization": f"Bearer {each['access_token']}"} for each in self._tokens]
        return {"requests": [request("GET", PATHS[self.name][workload], user) for user in users]}

    def _refreshes(self) -> dict[str, Any]:
        first, *others = (
            request("POST", PATHS[self.name]["refresh"], JSON, json.dumps({"refresh_token": each["refresh_token"]}))
            for each in self._tokens[:REFRESHING]
        )
        chained = first.replace(self._tokens[0]["refresh_token"], TOKEN.decode())
        return {"requests": [first, *others], "chained": chained, "chain": str(self.port)}

    @cached_property
    def _tokens(self) -> list[dict[str, str]]:
        with closing(Api(self.port)) as api:
            return [self._sign_in(api, number) for number in range(USERS)]

    def _sign_in(self, api: Api, number: int) -> dict[str, str]:
        path, headers, body = self._login(number)
        status, content, _ = api.request("POST", path, body, headers)
        if status != 200:
            raise RuntimeError(content)
        tokens: dict[str, str] = json.loads(content)
        return tokens

    def _login(self, number: int) -> tuple[str, Mapping[str, str], str]:
        email, path = f"user{number}@example.com", PATHS[self.name]["login"]
        if self.name == "crudauth":
            return path, FORM, urlencode({"username": email, "password": PASSWORD})
        return path, JSON, json.dumps({"email": email, "password": PASSWORD})
