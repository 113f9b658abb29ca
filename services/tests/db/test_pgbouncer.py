"""The API through the real PgBouncer in transaction mode, with the project's configuration (docs/pgbouncer.md)."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import asyncpg
import pytest
from httpx2 import Client

from accounts.db.connect import KEEPALIVES
from accounts.db.engine import SERVER_SETTINGS
from accounts.migrations.roles import ROLE
from support.gunicorn import Gunicorn, end, gunicorn
from support.pgbouncer import CONFIGURATION, PASSWORD, Pooled, pgbouncer, pooled
from support.processes import environment, python
from support.project import ROOT
from support.waiting import wait_until

PERSON = {"email": "arthur@camelot.example.com", "password": "guinevere-and-lancelot"}
MEMBERS = "email,role\n" + "".join(f"knight-{number}@camelot.example.com,member\n" for number in range(20))


def owner(running: Pooled, **more: str) -> dict[str, str]:
    return environment(running.cluster.url(), ENVIRONMENT="development", POSTGRES_API_PASSWORD=PASSWORD, **more)


@pytest.fixture(scope="module")
def running() -> Iterator[Pooled]:
    """PgBouncer in front of a migrated database."""
    if pgbouncer() is None:
        pytest.skip("PgBouncer 1.21 or later is neither on PATH nor in the variable PGBOUNCER")
    with pooled() as running:
        migrated = python("-m", "alembic", "upgrade", "head", env=owner(running))
        assert migrated.returncode == 0, migrated.stderr
        yield running


@pytest.fixture(scope="module")
def api(running: Pooled) -> Iterator[Gunicorn]:
    with gunicorn(running.url, POSTGRES_PASSWORD=PASSWORD, SIGN_UP="open") as api:
        yield api


@contextmanager
def signed_in(api: Gunicorn) -> Iterator[tuple[Client, str]]:
    """Sign in, after a sign-up if needed; yield a client and its refresh token."""
    with Client(base_url=api.api.base_url, timeout=30) as client:
        assert client.post("/auth/register", json=PERSON).status_code in {201, 400}
        form = {"username": PERSON["email"], "password": PERSON["password"]}
        tokens = client.post("/auth/jwt/login", data=form).raise_for_status().json()
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        yield client, tokens["refresh_token"]


def test_configuration_ignores_what_connections_ask_for() -> None:
    text = CONFIGURATION.read_text()
    (ignored,) = re.findall(r"^ignore_startup_parameters = (.*)", text, re.MULTILINE)

    tracked = {"timezone"}  # by PgBouncer itself
    assert set(ignored.split(", ")) == (KEEPALIVES | SERVER_SETTINGS).keys() - tracked


@pytest.mark.slow(seconds=25)
class TestRunning:
    def test_smoke_test_passes(self, api: Gunicorn) -> None:
        where = {"API_PORT": str(api.api.base_url.port), "SIGN_UP": "open"}

        result = python(str(ROOT / "scripts" / "smoke.py"), env=os.environ | where)

        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.endswith("The API works\n")

    def test_users_refresh_list_and_import(self, running: Pooled, api: Gunicorn) -> None:
        with signed_in(api) as (client, token):
            form = {"grant_type": "refresh_token", "refresh_token": token}
            tokens = client.post("/auth/jwt/refresh", data=form).raise_for_status().json()
            client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
            _fetch(running, 'UPDATE "user" SET is_verified = true')  # as invitations require
            group = client.post("/user-groups", json={"name": "Round Table"}).json()["id"]
            assert client.get(f"/user-groups/{group}/users").json()[0]["role"] == "owner"
            assert client.get("/auth/sessions").status_code == 200
            imported = client.post(
                f"/user-groups/{group}/users/import", content=MEMBERS, headers={"Content-Type": "text/csv"}
            )
            assert imported.status_code == 200, imported.text
            assert len(client.get(f"/user-groups/{group}/invitations").json()) == 20

    async def test_prepared_statements_survive_a_change_of_the_connection(self, running: Pooled) -> None:
        one, two = [await running.connect() for _ in range(2)]
        statements = [await connection.prepare("SELECT pg_backend_pid(), $1::int") for connection in (one, two)]
        async with one.transaction():  # one connection to PostgreSQL is busy, so the other has to take another one
            busy = await statements[0].fetchval(1)
            assert await statements[1].fetchval(2) != busy
        for connection in (one, two):
            await connection.close()

    async def test_limits_hold_for_connections_that_ask_for_none(self, running: Pooled) -> None:
        connection = await running.connect()
        query = "SELECT name, current_setting(name) FROM unnest($1::text[]) AS name"
        assert dict(await connection.fetch(query, list(SERVER_SETTINGS))) == SERVER_SETTINGS

        begun = monotonic()
        with pytest.raises(asyncpg.QueryCanceledError, match="statement timeout"):
            await connection.execute("SELECT pg_sleep(20)")
        assert 5 < monotonic() - begun < 10
        await connection.close()

    def test_not_ready_while_the_role_has_no_limits(self, running: Pooled, api: Gunicorn) -> None:
        role = f"ALTER ROLE {ROLE} IN DATABASE accounts"
        limit = f"{role} SET statement_timeout = '6s'"
        try:
            _new_connections(running, f"{role} RESET statement_timeout")
            wait_until("the API is not ready", lambda: api.api.get("/health/ready").status_code == 503)
            wait_until("it says why", lambda: _reason(api).startswith("statement_timeout: no limit."))
        finally:
            _new_connections(running, limit)
        wait_until("the API is ready", api.answers)

    def test_mail_is_delivered_at_once_by_a_worker_that_connects_directly(
        self, running: Pooled, api: Gunicorn, tmp_path: Path
    ) -> None:
        with signed_in(api):
            pass  # there is a user now
        beat, mails = tmp_path / "beat", tmp_path / "mails"
        variables = owner(running, MAIL_FOLDER=str(mails))
        worker = subprocess.Popen([sys.executable, "-m", "accounts.worker", "--heartbeat", str(beat)], env=variables)
        try:
            wait_until("the worker has read the queue", beat.exists)
            wait_until("the worker listens", lambda: any("LISTEN" in each for each in _worker_statements(running)))
            before = len(list(mails.glob("*.eml")))
            begun = monotonic()
            api.api.post("/auth/forgot-password", json={"email": PERSON["email"]}).raise_for_status()
            wait_until("the mail is delivered", lambda: len(list(mails.glob("*.eml"))) > before)
            assert monotonic() - begun < 5  # by polling it takes ten seconds
        finally:
            end(worker)

    def test_api_recovers_within_seconds_from_a_restart_of_postgresql(self, running: Pooled, api: Gunicorn) -> None:
        with signed_in(api) as (client, _):
            running.cluster.stop()
            assert client.get("/users/me").status_code == 503
            running.cluster.start()
            begun = monotonic()
            wait_until("the API is ready", api.answers)
            assert monotonic() - begun < 10
            assert client.get("/users/me").status_code == 200


def _reason(api: Gunicorn) -> str:
    return str(api.api.get("/health/ready").json().get("reason", ""))


def _new_connections(running: Pooled, statement: str) -> None:
    """Run a statement as the owner, and let PgBouncer open new connections."""
    _fetch(running, statement)
    _fetch(running, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'")  # noqa: S608  # a constant


def _worker_statements(running: Pooled) -> list[str]:
    query = "SELECT query FROM pg_stat_activity WHERE application_name = 'accounts-worker'"
    return [row["query"] for row in _fetch(running, query)]


def _fetch(running: Pooled, query: str) -> list[asyncpg.Record]:
    async def fetch() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(running.cluster.url())
        try:
            rows: list[asyncpg.Record] = await connection.fetch(query)
            return rows
        finally:
            await connection.close()

    return asyncio.run(fetch())
