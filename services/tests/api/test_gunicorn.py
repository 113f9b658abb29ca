"""The API as it ships: gunicorn and its workers, on a port, with a database of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from httpx2 import Client, TransportError

from support.gunicorn import environment
from support.people import PASSWORD
from support.waiting import PATIENCE, wait_until

MORGANA = "morgana@camelot.example.com"
# A token, an address that is free and a password that is strong are not to be had by generating any.
DELIBERATE = "positive_data_acceptance"


@contextmanager
def gunicorn(database: str) -> Iterator[tuple[subprocess.Popen[bytes], Client]]:
    variables = environment(database, WEB_CONCURRENCY="1", METRICS_PORT="0")
    with (
        subprocess.Popen([sys.executable, "-m", "gunicorn"], env=variables) as server,
        Client(base_url=f"http://127.0.0.1:{variables['API_PORT']}") as client,
    ):
        try:
            wait_until_ready(client)
            yield server, client
        finally:
            server.terminate()


def wait_until_ready(client: Client) -> None:
    def ready() -> bool:
        try:
            return client.get("/health/ready").status_code == 200
        except TransportError:
            return False

    wait_until("gunicorn is ready", ready)


@pytest.fixture
def superuser(fresh_database: str) -> str:
    subprocess.run(
        [sys.executable, "-m", "accounts.commands.superuser", MORGANA],
        env=os.environ | {"DATABASE_URL": fresh_database},
        input=f"{PASSWORD}\n".encode(),
        check=True,
    )
    return MORGANA


def test_serves_and_stops_when_told(fresh_database: str) -> None:
    with gunicorn(fresh_database) as (server, client):
        assert client.get("/user-groups").json() == []
        assert "Server" not in client.get("/health/live").headers

        server.send_signal(signal.SIGTERM)

        assert server.wait(PATIENCE) == 0


def guess(client: Client, number: int) -> int:
    headers = {"X-Forwarded-For": f"203.0.113.{number}", "X-Forwarded-Proto": "https"}
    answer = client.post("/auth/jwt/login", data={"username": MORGANA, "password": "wrong"}, headers=headers)
    assert ("Strict-Transport-Security" in answer.headers) is ("TRUSTED_PROXIES" in os.environ)
    return answer.status_code


def test_an_address_that_a_client_claims_to_have_counts_for_nothing(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THROTTLE_SCALE", "1")
    with gunicorn(fresh_database) as (_, client):
        assert [guess(client, number) for number in range(7)] == [400] * 5 + [429] * 2

    monkeypatch.setenv("TRUSTED_PROXIES", "127.0.0.0/8")
    with gunicorn(fresh_database) as (_, client):
        assert [guess(client, number) for number in range(7)] == [400] * 7


def test_does_what_its_description_says(fresh_database: str, superuser: str) -> None:
    """Schemathesis makes up requests from the description, right ones and wrong ones, and checks every answer."""
    with gunicorn(fresh_database) as (_, client):
        login = client.post("/auth/jwt/login", data={"username": superuser, "password": PASSWORD})
        token = login.json()["access_token"]
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "run", str(client.base_url.join("/openapi.json")),
            "--no-color", "--seed=1",
            "--phases=examples,coverage,fuzzing", "--max-examples=5", f"--exclude-checks={DELIBERATE}",
            f"--header=Authorization: Bearer {token}",
        ]  # fmt: skip

        result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout
