"""Real PostgreSQL, migrated by Alembic: a database for each worker, rolled back after each test."""

import gc
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from functools import cache, partial
from uuid import uuid4

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from anyio import run
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from starlette.types import Receive, Scope, Send

from accounts.api.app import create_app, lifespan
from accounts.api.middleware import timeout
from accounts.db import engine as engine_module
from accounts.db.engine import ConnectDriver, DriverConnection, autocommit_engine, create_engine
from accounts.db.replica import Replica
from accounts.db.session import Session, Sessionmaker, create_sessionmaker
from accounts.domain.bulk import CONNECTIONS, BulkWork
from accounts.domain.identity import password_hashing
from accounts.migrations.roles import ROLE
from accounts.readiness import TIMEOUTS
from accounts.schemas import fields
from accounts.settings import Settings, get_settings
from postgres import throwaway
from support import tiers
from support.people import SCHEMA_OWNER, World
from support.processes import SECRET
from support.schema import same_connection

TEMPLATE = "accounts"
CLUSTER = "TEST_CLUSTER"  # how the workers learn of the one server: its URL, with {} for a database's name and a role


def pytest_configure(config: pytest.Config) -> None:
    """Start one server before the workers, with a migrated database that they copy."""
    config.pluginmanager.register(tiers)  # for tests outside of this folder, too
    for name in Settings.model_fields.keys() - {"database_url"}:
        os.environ.pop(name.upper(), None)
    os.environ |= {"ENVIRONMENT": "development", "SIGN_UP": "open", "SECRET_KEY": SECRET}
    os.environ["ALLOWED_HOSTS"] = "testserver,127.0.0.1"
    os.environ["THROTTLE_SCALE"] = "1000"  # tests of the limits set it to 1
    if CLUSTER not in os.environ and not config.option.collectonly:
        stack = ExitStack()
        config.add_cleanup(stack.close)
        cluster = stack.enter_context(throwaway())
        os.environ |= {CLUSTER: cluster.url("{database}", role="{role}"), "DATABASE_URL": cluster.url(TEMPLATE)}
        command.upgrade(Config(toml_file="pyproject.toml"), "head")
        # Tests arrange some things that the API's role may not; it has to say so, and inherits nothing.
        execute(f"GRANT {SCHEMA_OWNER} TO {ROLE} WITH INHERIT FALSE, SET TRUE")
        execute(f"ALTER DATABASE {TEMPLATE} IS_TEMPLATE true ALLOW_CONNECTIONS false")


def pytest_collection_finish() -> None:
    """Keep the garbage collector from looking at all modules again and again: a tenth of the time of all tests."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def url_of(database: str, role: str = ROLE) -> str:
    return os.environ[CLUSTER].format(database=database, role=role)


def execute(statement: str, database: str = "postgres") -> None:
    async def connect_and_execute() -> None:
        connection = await asyncpg.connect(url_of(database, SCHEMA_OWNER))
        await connection.execute(statement)
        await connection.close()

    run(connect_and_execute)


def copy_of_template(name: str) -> str:
    execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY wal_log")
    execute(f"REVOKE CREATE, TEMPORARY ON DATABASE {name} FROM PUBLIC")  # by the migrations; a copy does not have it
    return url_of(name)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _cheap_hashes() -> None:
    """Keep the hashing algorithm, at its lowest cost."""
    cheap = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)
    password_hashing.PASSWORD_HASH = PasswordHash((cheap, *password_hashing.PASSWORD_HASH.hashers[1:]))


@pytest.fixture(scope="session")
def worker_database(worker_id: str) -> str:
    return copy_of_template(f"worker_{worker_id}")


@pytest.fixture(scope="session")
async def engine(worker_database: str) -> AsyncIterator[AsyncEngine]:
    url, limits = worker_database.replace("postgresql:", "postgresql+asyncpg:"), dict.fromkeys(TIMEOUTS, "10min")
    engine = create_async_engine(url, connect_args={"server_settings": limits})
    yield engine
    await engine.dispose()


class Joined(Session):
    """A session inside of the transaction that is rolled back after the test."""

    async def begin_autocommit(self) -> None:
        """Begin a transaction as usual: this connection has no autocommit."""


@pytest.fixture
async def sessionmaker(engine: AsyncEngine) -> AsyncIterator[Sessionmaker]:
    """Sessions whose commits end savepoints of one transaction, which is rolled back after the test."""
    async with engine.connect() as connection, connection.begin() as outer:
        yield async_sessionmaker(
            connection, class_=Joined, expire_on_commit=False, join_transaction_mode="create_savepoint"
        )
        await outer.rollback()


@cache
def application() -> FastAPI:
    """The real application, created once, because its first requests take longer than most tests."""
    return create_app()


@asynccontextmanager
async def world_of(
    sessionmaker: Sessionmaker,
    reader: Sessionmaker | None = None,
    connect: ConnectDriver | None = None,
    bulk: Sessionmaker | None = None,
    replica: Replica | None = None,
) -> AsyncIterator[World]:
    """The real application on ``sessionmaker``'s database."""
    app = application()
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(lifespan(app))
        database = {
            "sessionmaker": sessionmaker,
            "reader": reader or sessionmaker,
            "connect": connect or same_connection(sessionmaker),
            "bulk": BulkWork(bulk or sessionmaker),
            "replica": replica or Replica(),
        }
        state = {**made, **database}

        async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        transport = ASGITransport(asgi, raise_app_exceptions=False)
        client = AsyncClient(transport=transport, base_url="http://testserver")
        yield World(app, state, await stack.enter_async_context(client))


@pytest.fixture(autouse=True)
def settings_of_the_suite() -> Iterator[None]:
    """Forget the settings that a test has read from another environment."""
    before = get_settings()
    yield
    if get_settings() is not before:
        get_settings.cache_clear()


@pytest.fixture
async def world(sessionmaker: Sessionmaker) -> AsyncIterator[World]:
    """A database of this test's own for as long as it runs, in one transaction: for sequential requests."""
    async with world_of(sessionmaker) as world:
        yield world


@pytest.fixture
def client(world: World) -> AsyncClient:
    return world.client


@contextmanager
def temporary_database() -> Iterator[str]:
    """Yield the URL of a migrated database, as the API connects; it is dropped at the end."""
    name = f"temporary_{uuid4().hex}"
    try:
        yield copy_of_template(name)
    finally:
        execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def fresh_database() -> Iterator[str]:
    """The URL of a migrated database of this test's own, for real commits, as the API connects."""
    with temporary_database() as url:
        yield url


@pytest.fixture
def owned_database(fresh_database: str) -> str:
    """The URL of the same database, as the migrations connect."""
    return fresh_database.replace(f"{ROLE}@", f"{SCHEMA_OWNER}@")


@pytest.fixture
def fresh_settings(fresh_database: str) -> Settings:
    return get_settings().model_copy(update={"database_url": SecretStr(fresh_database)})


@pytest.fixture
def special_use_domains(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accept emails with special-use domains."""
    allowing = get_settings().model_copy(update={"email_special_use_domains": True})
    monkeypatch.setattr(fields, "get_settings", lambda: allowing)


@pytest.fixture
def lock_timeout() -> str:
    """How long statements of ``busy_world`` wait for a lock."""
    return "60s"


@pytest.fixture
async def busy_world(
    fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch, lock_timeout: str
) -> AsyncIterator[World]:
    """A world of real connections and real commits: for concurrent requests."""
    for module, name in ((engine_module, "POOL_SECONDS"), (timeout, "SECONDS")):
        monkeypatch.setattr(module, name, 60)  # how busy the machine is decides about no test
    monkeypatch.setitem(engine_module.SERVER_SETTINGS, "lock_timeout", lock_timeout)
    monkeypatch.setitem(engine_module.SERVER_SETTINGS, "statement_timeout", "60s")
    engine = create_engine(fresh_settings, "test")
    reader, connect = create_sessionmaker(autocommit_engine(engine)), partial(DriverConnection, engine)
    bulk_engine = create_engine(fresh_settings.model_copy(update={"database_pool_size": CONNECTIONS}), "bulk")
    async with world_of(create_sessionmaker(engine), reader, connect, create_sessionmaker(bulk_engine)) as world:
        yield world
    await engine.dispose()
    await bulk_engine.dispose()
