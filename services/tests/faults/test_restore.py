"""A restore while clients use the API."""

import asyncio

import pytest
from alembic import command

from faults.clients import GOOD, UNAVAILABLE, Clients, Seen
from faults.stack import stack
from support.restores import RESTORED, Restore

UNKNOWN = {"400", "401", "404"}  # the clients' user, session and group are not in the backup
RESTORES = 3


@pytest.mark.slow(seconds=20)
def test_clients_see_only_503_while_an_older_backup_is_restored(restoring: Restore, owned_database: str) -> None:
    command.downgrade(restoring.alembic(restoring.backup), "b506725141f8")

    seen, log = asyncio.run(restored_under_load(restoring, owned_database))

    assert seen.answers.keys() <= {*GOOD, UNAVAILABLE, *UNKNOWN}, seen
    assert seen.answers["201"]
    assert seen.answers["401"]
    assert "Traceback" not in log
    assert restoring.groups() >= RESTORED


async def restored_under_load(restoring: Restore, url: str) -> tuple[Seen, str]:
    async with stack(url) as running, running.api.client() as client:
        await running.api.start()
        try:
            await running.api.wait_for("/health/ready")
            clients = Clients(client)
            await clients.begin()
            for _ in range(RESTORES):
                async with clients.load(16):
                    await asyncio.to_thread(restoring.run)
            await running.api.wait_for("/health/ready")
        finally:
            await running.api.stop()
        return clients.seen, running.api.log.read_text()
