"""A client of the API that sends one request at a time."""

import http.client
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

PATIENCE = 60
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
PASSWORD = secrets.token_urlsafe(24)


@dataclass
class Api:
    """A client with one persistent connection to the API."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def request(self, method: str, path: str, body: str = "", headers: Mapping[str, str] | None = None) -> Any:
        """Send a request; return the status, the body and the duration in seconds."""
        started = time.perf_counter()
        self._connection.request(method, path, body or None, self.headers | dict(headers or {}))
        response = self._connection.getresponse()
        content = response.read()
        return response.status, content, time.perf_counter() - started

    def login(self, email: str, password: str = PASSWORD) -> Any:
        """Sign in."""
        return self.request("POST", "/auth/jwt/login", urlencode({"username": email, "password": password}), FORM)

    def tokens(self, email: str, password: str = PASSWORD) -> dict[str, str]:
        """Sign in and return the tokens."""
        status, content, _ = self.login(email, password)
        if status != http.client.OK:
            raise RuntimeError(content)
        tokens: dict[str, str] = json.loads(content)
        return tokens

    def post(self, path: str, **body: str) -> Any:
        """Post a JSON object."""
        return self.request("POST", path, json.dumps(body), JSON)

    def users(self, number: int) -> list[str]:
        """Register ``number`` users and return their email addresses."""
        emails = [f"user{each}.{secrets.token_hex(4)}@example.com" for each in range(number)]
        for email in emails:
            status, content, _ = self.post("/auth/register", email=email, password=PASSWORD)
            if status != http.client.CREATED:
                raise RuntimeError(content)
        return emails
