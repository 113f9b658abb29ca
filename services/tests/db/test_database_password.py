"""A wrong database password, as after a change in only one of two places."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator

import pytest

from accounts.db.engine import create_engine
from accounts.db.session import create_sessionmaker
from accounts.settings import Settings
from conftest import world_of
from postgres import throwaway
from postgres_host import run
from support.processes import environment

pytestmark = pytest.mark.slow
HBA = "local all mordred scram-sha-256\nlocal all all trust\n"


@pytest.fixture
def url() -> Iterator[str]:
    """The URL of a server that requires a password."""
    with throwaway() as cluster:
        given = "CREATE ROLE mordred LOGIN SUPERUSER PASSWORD 'right'"
        run("psql", cluster.url(), "--quiet", "--command", given)
        (cluster.data / "pg_hba.conf").write_text(HBA)
        run("psql", cluster.url(), "--quiet", "--output=/dev/null", "--command", "SELECT pg_reload_conf()")
        yield cluster.url(role="mordred")


async def output_of(*command: str, url: str) -> tuple[int | None, list[str]]:
    settings = environment(url, POSTGRES_PASSWORD="wrong")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command, env=settings, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    return process.returncode, (out + err).decode().splitlines()


async def test_wrong_password_ends_commands_with_one_line_and_requests_with_503(
    url: str, fresh_settings: Settings
) -> None:
    migrate, superuser = await asyncio.gather(
        output_of("alembic", "upgrade", "head", url=url),
        output_of("accounts.commands.superuser", "merlin@example.com", url=url),
    )
    password = type(fresh_settings.database_url)
    engine = create_engine(
        fresh_settings.model_copy(update={"database_url": password(url), "postgres_password": password("wrong")}),
        "test",
    )
    async with world_of(create_sessionmaker(engine)) as world:
        ready, groups = [await world.client.get(path) for path in ("/health/ready", "/user-groups")]
    await engine.dispose()

    why = 'password authentication failed for user "mordred"'
    assert migrate == (1, [f"migrate: nothing was changed: {why}"])
    assert superuser == (1, [f"superuser: The database does not answer. ({why})"])
    assert (ready.status_code, groups.status_code) == (503, 503)
    assert "Retry-After" in groups.headers
