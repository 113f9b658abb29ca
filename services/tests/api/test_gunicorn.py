"""The API as it ships: gunicorn and its workers, on a port, with a database of their own."""

import os
import resource
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from httpx2 import Client

from support.gunicorn import gunicorn
from support.people import PASSWORD
from support.processes import python

MORGANA = "morgana@camelot.example.com"
# Generated requests never have a valid token, a free address or a strong password.
DELIBERATE = "positive_data_acceptance"


pytestmark = pytest.mark.slow


@pytest.fixture
def superuser(fresh_database: str) -> str:
    env = os.environ | {"DATABASE_URL": fresh_database}
    python("-m", "accounts.commands.superuser", MORGANA, env=env, stdin=f"{PASSWORD}\n").check_returncode()
    return MORGANA


def test_server_answers_and_stops_when_told(fresh_database: str) -> None:
    with gunicorn(fresh_database, workers=1, METRICS_PORT="0") as server:
        assert server.api.get("/user-groups").json() == []
        assert "Server" not in server.api.get("/health/live").headers

        assert server.stop() == 0


def test_client_with_more_idle_connections_than_the_soft_limit_of_descriptors_stops_nobody(fresh_database: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))  # inherited by gunicorn
    try:
        with gunicorn(fresh_database, workers=1, METRICS_PORT="0") as server, ExitStack() as held:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for _ in range(400):
                held.enter_context(socket.create_connection((server.api.base_url.host, server.api.base_url.port)))

            server.request("/health/ready", times=3)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def guess(client: Client, number: int) -> int:
    headers = {"X-Forwarded-For": f"203.0.113.{number}", "X-Forwarded-Proto": "https"}
    answer = client.post("/auth/jwt/login", data={"username": MORGANA, "password": "wrong"}, headers=headers)
    assert ("Strict-Transport-Security" in answer.headers) is ("TRUSTED_PROXIES" in os.environ)
    return answer.status_code


def test_forwarded_client_ip_is_ignored_unless_the_proxy_is_trusted(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THROTTLE_SCALE", "1")
    with gunicorn(fresh_database, workers=1, METRICS_PORT="0") as server:
        assert [guess(server.api, number) for number in range(7)] == [400] * 5 + [429] * 2

    monkeypatch.setenv("TRUSTED_PROXIES", "127.0.0.0/8")
    with gunicorn(fresh_database, workers=1, METRICS_PORT="0") as server:
        assert [guess(server.api, number) for number in range(7)] == [400] * 7
    with gunicorn(fresh_database, workers=1, METRICS_PORT="0", API_HOST="::") as server:  # the peer is ::ffff:127.0.0.1
        assert [guess(server.api, number) for number in range(7, 14)] == [400] * 7


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_server_listens_at_an_ipv6_address(fresh_database: str, host: str) -> None:
    with gunicorn(fresh_database, workers=1, API_HOST=host, METRICS_HOST="[::]") as server:
        assert server.api.get("/user-groups").json() == []
        assert server.samples()


@pytest.mark.slow(seconds=30)
def test_answers_agree_with_the_openapi_description(fresh_database: str, superuser: str) -> None:
    """Schemathesis generates valid and invalid requests from the description, and checks every answer."""
    with gunicorn(fresh_database, workers=1, METRICS_PORT="0") as server:
        client = server.api
        login = client.post("/auth/jwt/login", data={"username": superuser, "password": PASSWORD})
        token = login.json()["access_token"]
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "run", str(client.base_url.join("/openapi.json")),
            "--no-color", "--seed=1",
            "--phases=examples,coverage,fuzzing", "--max-examples=5", f"--exclude-checks={DELIBERATE}",
            "--exclude-path=/users/import",  # it cannot write JSON lines
            f"--header=Authorization: Bearer {token}",
        ]  # fmt: skip

        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)

    assert result.returncode == 0, result.stdout
