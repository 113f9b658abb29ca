"""Restores: a backup replaces the database after it was checked and migrated, and nothing else does."""

import asyncio

import asyncpg
import pytest
from alembic import command

from accounts.commands import restore
from accounts.readiness import expected_revisions
from conftest import execute, url_of
from support.people import SCHEMA_OWNER
from support.restores import INVALID, PRESENT, RESTORED, RIGHTS, Restore


def refusal(restoring: Restore) -> str:
    """Run a restore that is refused, and return the line that it ends with."""
    with pytest.raises(SystemExit) as ended:
        restoring.run()
    restore.main(["clean"])
    assert (restoring.databases(), restoring.groups()) == ({""}, PRESENT)
    return str(ended.value.code)


def test_backup_replaces_the_database(restoring: Restore, capsys: pytest.CaptureFixture[str]) -> None:
    command.upgrade(restoring.alembic(restoring.current), "head")
    rights = restoring.fetch(RIGHTS)

    restoring.run()

    assert (restoring.databases(), restoring.groups()) == ({""}, RESTORED)
    assert restoring.fetch(RIGHTS) == rights
    assert capsys.readouterr().out == "Restored the backup, with 0 users\n"


def test_connected_clients_do_not_prevent_a_restore(restoring: Restore) -> None:
    async def restore_while_connected() -> None:
        clients = [await asyncpg.connect(url_of(restoring.current)) for _ in range(3)]
        await asyncio.to_thread(restoring.run)
        for client in clients:
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
                await client.fetchval("SELECT 1")

    asyncio.run(restore_while_connected())

    assert restoring.groups() == RESTORED


def test_older_backup_is_migrated(restoring: Restore) -> None:
    command.downgrade(restoring.alembic(restoring.backup), "b506725141f8")

    restoring.run()

    assert restoring.groups() == RESTORED
    assert restoring.fetch("SELECT version_num FROM alembic_version") == expected_revisions()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            "UPDATE alembic_version SET version_num = 'later'",
            "the backup is at revision later, which this version does",
        ),
        ("DELETE FROM alembic_version", "not a backup of this service, because it has 0 revisions"),
        ("INSERT INTO alembic_version VALUES ('7d7b46b44cb2')", "not a backup of this service, because it has 2 revis"),
        ("DROP TABLE alembic_version", "not a backup of this service, because it has 0 revisions"),
        ("DROP TABLE audit_event", "not a backup of this service, because it does not have audit_event."),
        ('ALTER TABLE "user" DROP display_name', "not a backup of this service, because it does not have user.display"),
        ("ALTER TABLE alembic_version RENAME version_num TO version", 'column "version_num" does not exist'),
    ],
)
def test_backup_of_another_database_or_a_newer_version_is_refused(restoring: Restore, change: str, reason: str) -> None:
    execute(change, restoring.backup)

    line = refusal(restoring)

    assert reason in line
    assert line.startswith("restore: ")
    assert "\n" not in line


def test_backup_that_cannot_be_migrated_is_refused(restoring: Restore) -> None:
    execute("UPDATE alembic_version SET version_num = '1f56f5727efb'", restoring.backup)

    assert refusal(restoring).startswith("migrate: nothing was changed: relation ")


@pytest.mark.parametrize("damage", ["DROP DATABASE {}", INVALID, "ALTER DATABASE {} ALLOW_CONNECTIONS false"])
def test_damaged_or_missing_database_is_replaced(restoring: Restore, damage: str) -> None:
    execute(damage.format(restoring.current))

    restoring.run()

    assert (restoring.databases(), restoring.groups()) == ({""}, RESTORED)


def test_replaced_database_is_kept_while_no_other_one_works(restoring: Restore) -> None:
    execute(f"ALTER DATABASE {restoring.current} RENAME TO {restoring.current}_replaced")
    execute(f"CREATE DATABASE {restoring.current}")
    execute(INVALID.format(restoring.current))

    restore.main(["clean"])
    assert restoring.databases() == {"", "_replaced"}

    restoring.run()
    assert (restoring.databases(), restoring.groups()) == ({""}, RESTORED)


def test_next_restore_drops_what_an_earlier_one_left(restoring: Restore) -> None:
    for left in ("restored", "replaced"):
        execute(f"CREATE DATABASE {restoring.current}_{left}")

    restoring.run()

    assert (restoring.databases(), restoring.groups()) == ({""}, RESTORED)


def test_two_restores_do_not_run_at_the_same_time(restoring: Restore) -> None:
    restore.main(["prepare"])
    lock = f"SELECT pg_advisory_lock(hashtextextended('{restoring.current}_restored', 0))"

    async def try_during(database: str, statement: str) -> None:
        other = await asyncpg.connect(url_of(database, SCHEMA_OWNER))
        await other.execute(statement)
        with pytest.raises(SystemExit, match=r"^restore: another restore is running$"):
            await asyncio.to_thread(restore.main, ["prepare"])
        await other.close()

    asyncio.run(try_during(f"{restoring.current}_restored", "SELECT 1"))  # the pg_restore of another one
    asyncio.run(try_during("postgres", lock))
