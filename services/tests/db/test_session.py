"""The transaction, and the classification of database errors."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import func, select

from accounts.db.engine import DriverConnection, create_engine
from accounts.db.errors import is_unavailable, sqlstate
from accounts.db.session import Session, Sessionmaker, create_sessionmaker, transaction
from accounts.models import User, UserGroup
from accounts.settings import Settings
from support.waiting import eventually


async def count(sessionmaker: Sessionmaker) -> int:
    async with sessionmaker() as db:
        return (await db.exec(select(func.count()).select_from(UserGroup))).one()


class TestTransaction:
    async def test_transaction_commits_at_its_end(self, sessionmaker: Sessionmaker) -> None:
        async with transaction(sessionmaker) as db:
            db.add(UserGroup(name="Round Table"))

        assert await count(sessionmaker) == 1

    async def test_transaction_rolls_back_when_it_raises(self, sessionmaker: Sessionmaker) -> None:
        with pytest.raises(ZeroDivisionError):
            await self.fail_after_a_flush(sessionmaker)

        assert await count(sessionmaker) == 0

    async def fail_after_a_flush(self, sessionmaker: Sessionmaker) -> None:
        async with transaction(sessionmaker) as db:
            db.add(UserGroup(name="Round Table"))
            await db.flush()
            raise ZeroDivisionError

    async def test_commit_inside_a_transaction_raises(self, sessionmaker: Sessionmaker) -> None:
        async with transaction(sessionmaker) as db:
            with pytest.raises(TypeError, match=r"commit\(\) belongs to"):
                await db.commit()

    async def test_connection_is_released_between_reads_and_writes(self, engine: AsyncEngine) -> None:
        async with Session(engine) as db:
            await db.exec(select(User))
            held = engine.pool.status()
            await db.release_connection()
            assert engine.pool.status() != held

    async def test_connection_with_uncommitted_changes_is_not_released(self, sessionmaker: Sessionmaker) -> None:
        async with transaction(sessionmaker) as db:
            db.add(UserGroup(name="Round Table"))
            with pytest.raises(TypeError, match="half of a unit of work"):
                await db.release_connection()


async def test_text_of_an_error_has_no_parameters_of_the_statement(fresh_settings: Settings) -> None:
    engine = create_engine(fresh_settings, "test")
    secret = "a hash" * 100
    async with create_sessionmaker(engine)() as db:
        db.add(UserGroup(name=secret))
        with pytest.raises(DBAPIError, match="value too long") as raised:
            await db.flush()
    await engine.dispose()

    assert secret[:20] not in str(raised.value)


async def test_connection_closed_by_the_server_is_replaced_before_use(fresh_settings: Settings) -> None:
    engine = create_engine(fresh_settings, "test")
    async with DriverConnection(engine) as other:
        async with DriverConnection(engine) as closed:
            pid = closed.get_server_pid()
        await other.execute("SELECT pg_terminate_backend($1)", pid)
        await eventually("the driver notices that the server closed the connection", closed.is_closed)

        async with DriverConnection(engine) as fresh:
            assert await fresh.fetchval("SELECT pg_backend_pid()") != pid
    await engine.dispose()


async def test_transaction_left_open_does_not_reach_the_next_user_of_the_connection(fresh_settings: Settings) -> None:
    engine = create_engine(fresh_settings, "test")
    async with DriverConnection(engine) as left:
        await left.execute("BEGIN")

    async with DriverConnection(engine) as fresh:
        assert not fresh.is_in_transaction()
        assert left.is_closed()
    await engine.dispose()


async def test_any_statement_that_finds_a_read_only_server_drops_its_connections(fresh_settings: Settings) -> None:
    engine = create_engine(fresh_settings, "test")
    pids = []

    async def write() -> None:
        async with DriverConnection(engine) as standby:
            pids.append(standby.get_server_pid())
            await standby.execute("SET default_transaction_read_only = on")
            await standby.execute("DELETE FROM throttle")

    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await write()

    async with DriverConnection(engine) as fresh:
        assert fresh.get_server_pid() not in pids
    await engine.dispose()


class TestSilence:
    """A server that does not answer in time."""

    @pytest.fixture
    async def engine(self, fresh_settings: Settings) -> AsyncIterator[AsyncEngine]:
        engine = create_engine(fresh_settings, "test", 0.2)
        yield engine
        await engine.dispose()

    async def test_timeout_closes_the_connection_and_all_idle_ones(self, engine: AsyncEngine) -> None:
        others = [DriverConnection(engine) for _ in range(2)]
        pids = {(await each.__aenter__()).get_server_pid() for each in others}
        for each in others:
            await each.__aexit__(None, None, None)

        with pytest.raises(TimeoutError) as silence:
            await self.sleep(create_sessionmaker(engine))

        assert is_unavailable(silence.value)
        async with DriverConnection(engine) as one, DriverConnection(engine) as another:
            assert not pids & {await each.fetchval("SELECT pg_backend_pid()") for each in (one, another)}

    async def sleep(self, sessionmaker: Sessionmaker) -> None:
        async with transaction(sessionmaker) as db:
            await db.exec(select(func.pg_sleep(5)))

    @pytest.mark.parametrize("cancelled", [True, False])
    async def test_timeout_on_a_driver_connection_closes_it(
        self,
        engine: AsyncEngine,
        cancelled: bool,  # noqa: FBT001
    ) -> None:
        async with DriverConnection(engine) as connection:
            pass  # to connect takes its time

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1 if cancelled else None), DriverConnection(engine) as connection:
                await connection.execute("SELECT pg_sleep(5)")

        assert connection.is_closed()
        async with DriverConnection(engine) as connection:
            assert await connection.fetchval("SELECT 1") == 1


async def test_connections_to_a_server_that_became_read_only_are_dropped(fresh_settings: Settings) -> None:
    engine = create_engine(fresh_settings, "test")
    async with DriverConnection(engine) as connection:
        await connection.execute("SET default_transaction_read_only = on")

    with pytest.raises(DBAPIError, match="read-only transaction") as refusal:
        await add_group(create_sessionmaker(engine))

    assert is_unavailable(refusal.value)
    await add_group(create_sessionmaker(engine))  # on a connection that is new
    await engine.dispose()


async def add_group(sessionmaker: Sessionmaker) -> None:
    async with transaction(sessionmaker) as db:
        db.add(UserGroup(name="Round Table"))


class TestErrors:
    @pytest.mark.parametrize(
        ("code", "passes"),
        [
            ("57P01", True),
            ("53300", True),
            ("40P01", True),
            ("08006", True),
            ("28P01", True),
            ("3D000", True),
            ("55000", True),
            ("42P01", False),
            ("22003", False),
        ],
    )
    def test_error_code_tells_outages_from_mistakes(self, code: str, passes: bool) -> None:  # noqa: FBT001
        original = asyncpg.PostgresError.new({"C": code, "M": "", "S": "ERROR"})
        wrapped = DBAPIError("SELECT", {}, original)

        assert (sqlstate(original), sqlstate(wrapped)) == (code, code)
        assert is_unavailable(original) is passes
        assert is_unavailable(wrapped) is passes

    def test_driver_error_after_the_server_closed_the_connection_is_an_outage(self) -> None:
        assert is_unavailable(
            asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")
        )
