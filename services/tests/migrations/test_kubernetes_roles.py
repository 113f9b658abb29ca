"""The roles of deploy/kubernetes: CloudNativePG creates the owner, and the migrations the API's role."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from accounts.migrations import roles
from accounts.settings import get_settings
from conftest import execute, url_of
from support.kubernetes import find, rendered
from support.people import SCHEMA_OWNER
from support.schema import Alembic, fetch

pytestmark = pytest.mark.slow
API_ROLE = "accounts_api_of_kubernetes"
PASSWORD_OF_THE_API = "SELECT rolpassword FROM pg_authid WHERE rolname = 'accounts_api_of_kubernetes'"


@pytest.fixture
def bootstrapped() -> Iterator[str]:
    """The URL of a database as the operator bootstraps it from the manifest, as its owner connects."""
    initdb = find(rendered("production"), "Cluster", "database")["spec"]["bootstrap"]["initdb"]
    name = f"kubernetes_{uuid4().hex}"
    execute(f"CREATE ROLE {name} LOGIN")
    execute(f"CREATE DATABASE {name} OWNER {name}")
    for statement in initdb["postInitApplicationSQL"]:
        execute(statement.replace(f"ROLE {initdb['owner']} ", f"ROLE {name} "), name)
    yield url_of(name, role=name)
    execute(f"DROP DATABASE {name} WITH (FORCE)")
    execute(f"DROP ROLE IF EXISTS {API_ROLE}")
    execute(f"DROP ROLE {name}")


@pytest.fixture
def own_api_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the migrations create a role of another name: roles belong to the server, and its other databases have it."""
    usual = roles.ROLE

    def renamed(value: Any) -> Any:
        return value.replace(usual, API_ROLE) if isinstance(value, str) else tuple(map(renamed, value))

    for name, value in vars(roles).copy().items():
        if name.isupper() and isinstance(value, (str, tuple)):
            monkeypatch.setattr(roles, name, renamed(value))


@pytest.mark.usefixtures("own_api_role")
def test_owner_of_kubernetes_creates_the_api_role_with_its_password_and_may_migrate_again(
    bootstrapped: str, alembic: Alembic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", bootstrapped)
    monkeypatch.setenv("POSTGRES_API_PASSWORD", "excalibur")
    get_settings.cache_clear()

    alembic("upgrade", "head")
    alembic("upgrade", "head")

    database = bootstrapped.rpartition("@/")[2].partition("?")[0]
    (verifier,) = asyncio.run(fetch(url_of(database, SCHEMA_OWNER), PASSWORD_OF_THE_API))
    assert verifier.startswith("SCRAM-SHA-256$")
    asyncio.run(check_rights(url_of(database, role=API_ROLE)))


async def check_rights(api_database: str) -> None:
    connection = await asyncpg.connect(api_database)
    assert await connection.fetchval("SELECT count(*) FROM audit_event") == 0
    for refused in ("DO $$ BEGIN END $$", "SELECT lo_create(0)", "CREATE TABLE sword ()", "DELETE FROM audit_event"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(refused)
    await connection.close()
