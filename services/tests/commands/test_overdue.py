"""Pruning refuses to delete much that expired long ago: the database's clock may be wrong."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from accounts.commands import admin, run
from accounts.domain import retention
from accounts.models import AccessKey, AuditEvent, Invitation, MemberImport, OutboxMail, UserSession
from accounts.settings import Settings, get_settings
from accounts.worker.transports import Folder
from accounts.worker.worker import Worker
from support.waiting import PATIENCE, eventually

# Inserts rows that expired after {} with the default settings, one for each of {}; a table that is added later
# has to be here, or to say why its loss is harmless.
ROWS = {
    UserSession: "INSERT INTO user_session (id, user_id, kind, token_hash, expires_at, last_seen_at)"
    " SELECT gen_random_uuid(), (SELECT id FROM \"user\" LIMIT 1), 'bearer', '', {0} + interval '9 days', {0}"
    " - interval '14 days' FROM generate_series(1, {1})",
    AccessKey: "INSERT INTO access_key (id, user_id, name, secret_hash, scopes, expires_at)"
    " SELECT gen_random_uuid(), (SELECT id FROM \"user\" LIMIT 1), 'report', '', '{{}}', {0} - interval '30 days'"
    " FROM generate_series(1, {1})",
    Invitation: "INSERT INTO invitation (group_id, email, token_hash, expires_at) SELECT id, {0}::text || number,"
    " decode(md5({0}::text || number), 'hex'), {0} FROM user_group, generate_series(1, {1}) AS number",
    OutboxMail: "INSERT INTO outbox (id, kind, email, parked_at) SELECT gen_random_uuid(), 'reset', 'a@example.com',"
    " {0} - interval '30 days' FROM generate_series(1, {1})",
    MemberImport: "INSERT INTO member_import (group_id, actor_id, status, finished_at, total) SELECT user_group.id,"
    " \"user\".id, 'finished', {0} - interval '30 days', 1 FROM user_group, \"user\", generate_series(1, {1})",
    AuditEvent: "INSERT INTO audit_event (action, at) SELECT 'old', {0} - interval '365 days'"
    " FROM generate_series(1, {1})",
}
USER = """
INSERT INTO "user" (id, email, hashed_password, is_active, is_superuser, is_verified)
VALUES (gen_random_uuid(), 'arthur@camelot.example.com', '', true, false, true);
INSERT INTO user_group (name) VALUES ('Knights')
"""
PROTECTED = [entity for entity, expiry in retention.expiries(get_settings()).items() if expiry.since is not None]
MANY = retention.FEW_ROWS


class Database:
    """A database with rows that have expired."""

    def __init__(self, connection: Any, settings: Settings) -> None:
        self.connection = connection
        self.settings = settings

    async def expired(self, entity: Any, ago: str, number: int = MANY) -> None:
        await self.connection.execute(ROWS[entity].format(f"(now() - interval '{ago}')", number))

    async def left(self, entity: Any) -> int:
        inserted = "action = 'old'" if entity is AuditEvent else "true"
        count = f"SELECT count(*) FROM {entity.__tablename__} WHERE {inserted}"  # noqa: S608  # ours
        left: int = await self.connection.fetchval(count)
        return left


@pytest.fixture
async def database(
    owned_database: str, fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    settings = fresh_settings.model_copy(update={"database_url": SecretStr(owned_database)})
    for module in (run, admin):
        monkeypatch.setattr(module, "get_settings", lambda: settings)
    connection = await asyncpg.connect(owned_database)
    await connection.execute(USER)
    yield Database(connection, settings)
    await connection.close()


async def prune(*arguments: str) -> None:
    await asyncio.to_thread(admin.main, ["prune", *arguments])


def test_every_table_is_protected_or_its_loss_is_harmless() -> None:
    for entity, expiry in retention.expiries(get_settings()).items():
        assert (expiry.since is None) == bool(expiry.harmless), entity
    assert set(PROTECTED) == ROWS.keys()


@pytest.mark.parametrize("entity", PROTECTED)
async def test_rows_that_expired_long_ago_are_kept_until_prune_is_told(database: Database, entity: Any) -> None:
    await database.expired(entity, "8 days")
    await database.expired(entity, "-1 day", 2 * MANY)
    await database.connection.execute("INSERT INTO throttle VALUES ('old', now() - interval '1 year')")

    with pytest.raises(
        SystemExit, match=rf"^admin: kept 100 of 300 rows of {entity.__tablename__}, which .* 8 days ago"
    ):
        await prune()
    assert await database.left(entity) == 3 * MANY
    assert not await database.connection.fetchval("SELECT count(*) FROM throttle")  # other tables are pruned

    await prune("--overdue")
    assert await database.left(entity) == 2 * MANY


@pytest.mark.parametrize("entity", PROTECTED)
async def test_most_of_a_table_is_kept_if_it_expired_a_day_ago(database: Database, entity: Any) -> None:
    await database.expired(entity, "2 days")
    await database.expired(entity, "-1 day", MANY - 1)

    with pytest.raises(SystemExit, match=r"^admin: kept 100 of 199 rows"):
        await prune()
    assert await database.left(entity) == 2 * MANY - 1


@pytest.mark.parametrize(
    ("ago", "number", "live"),
    [("1 hour", 3 * MANY, 0), ("2 days", MANY, MANY), ("1 year", MANY - 1, 0)],
    ids=["what expired since the last clean-up", "less than half, of yesterday", "few rows"],
)
async def test_usual_pruning_is_not_refused(database: Database, ago: str, number: int, live: int) -> None:
    for entity in PROTECTED:
        await database.expired(entity, ago, number)
        await database.expired(entity, "-1 day", live)

    await prune()

    assert [await database.left(entity) for entity in PROTECTED] == [live] * len(PROTECTED)


async def test_worker_reports_the_refusal_and_names_the_command(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await database.expired(AuditEvent, "36 days", 4717)
    worker = Worker(database.settings, Folder(tmp_path))
    running = asyncio.create_task(worker.run())

    await eventually("the clean-up is refused", lambda: "kept 4,717 of 4,717 rows of audit_event" in caplog.text)
    worker.stop()
    await asyncio.wait_for(running, PATIENCE)

    [line] = [each for each in caplog.records if each.levelname == "ERROR"]
    assert 'make admin ARGS="prune --overdue"' in line.getMessage()
    assert await database.left(AuditEvent) == 4717
