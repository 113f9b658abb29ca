"""Liveness and readiness probes."""

import pytest

from accounts.db.engine import create_engine
from accounts.db.session import create_sessionmaker
from accounts.settings import Settings
from conftest import world_of
from support.people import World


async def test_probes_reveal_nothing_but_that_they_succeed(world: World) -> None:
    for probe in ("live", "ready"):
        response = await world.client.get(f"/health/{probe}")
        assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_not_ready_without_permission_to_read_the_revision(world: World) -> None:
    await world.sql("REVOKE SELECT ON alembic_version FROM accounts_api")

    response = await world.client.get("/health/ready")

    assert (response.status_code, response.json()["reason"]) == (503, "The database does not answer.")


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE alembic_version SET version_num = 'of-the-future'", "of-the-future"),
        ("DELETE FROM alembic_version", "no revision"),
        ("DROP TABLE alembic_version", "no revision"),
    ],
)
async def test_not_ready_when_schema_does_not_match(world: World, statement: str, found: str) -> None:
    await world.sql(statement)

    response = await world.client.get("/health/ready")

    assert (response.status_code, response.json()["detail"]) == (503, "NOT_READY")
    assert found in response.json()["reason"]
    assert "Retry-After" in response.headers


class TestWithoutADatabase:
    async def test_live_but_not_ready(self, fresh_settings: Settings) -> None:
        away = fresh_settings.model_copy(
            update={"database_url": type(fresh_settings.database_url)("postgresql://accounts@/x?host=/nowhere")}
        )
        engine = create_engine(away, "test")
        async with world_of(create_sessionmaker(engine)) as world:
            live = await world.client.get("/health/live")
            ready = await world.client.get("/health/ready")
            groups = await world.client.get("/user-groups")
        await engine.dispose()

        assert live.status_code == 200
        assert (ready.status_code, ready.json()["detail"]) == (503, "NOT_READY")
        assert ready.json()["reason"] == "The database does not answer."
        assert (groups.status_code, groups.json()["detail"]) == (503, "SERVICE_UNAVAILABLE")
        assert "Retry-After" in groups.headers
