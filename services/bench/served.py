"""The service as in production, on this machine alone: gunicorn, its workers, and a throw-away PostgreSQL."""

import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from accounts.migrations.roles import ROLE
from postgres import throwaway

PATIENCE = 30
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
PASSWORD = secrets.token_urlsafe(24)


@dataclass
class Api:
    """A client that keeps one connection to the API."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def request(self, method: str, path: str, body: str = "", headers: Mapping[str, str] | None = None) -> Any:
        """Return the status, the body and the seconds that it took."""
        begun = time.perf_counter()
        self._connection.request(method, path, body or None, self.headers | dict(headers or {}))
        response = self._connection.getresponse()
        content = response.read()
        return response.status, content, time.perf_counter() - begun

    def login(self, email: str, password: str = PASSWORD) -> Any:
        """Sign in."""
        return self.request("POST", "/auth/jwt/login", urlencode({"username": email, "password": password}), FORM)

    def post(self, path: str, **body: str) -> Any:
        """Post an object."""
        return self.request("POST", path, json.dumps(body), JSON)

    def users(self, number: int) -> list[str]:
        """Sign up that many users, and return their addresses."""
        emails = [f"user{each}.{secrets.token_hex(4)}@example.com" for each in range(number)]
        for email in emails:
            status, content, _ = self.post("/auth/register", email=email, password=PASSWORD)
            if status != http.client.CREATED:
                raise RuntimeError(content)
        return emails


@contextmanager
def served() -> Iterator[int]:
    """Serve until the block ends; the value is the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with throwaway() as cluster:
        settings = {
            "ENVIRONMENT": "production",
            "DATABASE_URL": cluster.url(),
            "POSTGRES_PASSWORD": "",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "API_PORT": str(port),
            "THROTTLE_SCALE": "1000000",
            "LOG_LEVEL": "warning",
        }
        environment = os.environ | settings
        subprocess.run([sys.executable, "-m", "alembic", "upgrade", "head"], env=environment, check=True)
        environment["DATABASE_URL"] = cluster.url(role=ROLE)
        command = [sys.executable, "-m", "gunicorn", "--access-logfile", os.devnull]
        with subprocess.Popen(command, env=environment) as server:
            try:
                _wait(port)
                yield port
            finally:
                server.terminate()


def _wait(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if Api(port).request("GET", "/health/ready")[0] == http.client.OK:
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("gunicorn does not serve")
