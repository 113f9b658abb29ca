"""The worker's heartbeat, a file that health checks look at, and its check of the settings."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from accounts.settings import Settings
from accounts.worker import __main__ as process_of_worker
from accounts.worker import worker as worker_module
from accounts.worker.smtp import Smtp
from accounts.worker.transports import Folder, Transport
from accounts.worker.worker import Worker
from support.people import World
from support.processes import free_port
from support.waiting import PATIENCE, eventually


@asynccontextmanager
async def running(settings: Settings, transport: Transport, heartbeat: Path) -> AsyncIterator[None]:
    worker = Worker(settings, transport, heartbeat)
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await asyncio.wait_for(task, PATIENCE)


async def test_heartbeat_is_renewed_while_there_is_no_mail(
    fresh_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "POLL_SECONDS", 0.05)
    heartbeat = tmp_path / "heartbeat"

    async with running(fresh_settings, Folder(tmp_path), heartbeat):
        for _ in range(2):
            await eventually("the heartbeat is there", heartbeat.exists)
            heartbeat.unlink()


async def test_heartbeat_is_renewed_while_the_mail_server_is_away(
    busy_world: World, owned_database: str, fresh_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(worker_module, "POLL_SECONDS", 3600)
    await busy_world.user("arthur")
    await busy_world.client.post("/auth/forgot-password", json={"email": "arthur@camelot.example.com"})
    settings = fresh_settings.model_copy(update={"database_url": SecretStr(owned_database)})
    heartbeat = tmp_path / "heartbeat"

    async with running(settings, Smtp("127.0.0.1", free_port(), security="none"), heartbeat):
        for _ in range(worker_module.DELIVERIES + 1):
            await eventually("the heartbeat is there", heartbeat.exists)
            heartbeat.unlink()


async def test_there_is_no_heartbeat_while_the_queue_cannot_be_read(
    fresh_settings: Settings, owned_database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connection = await asyncpg.connect(owned_database)
    await connection.execute("ALTER TABLE outbox RENAME TO elsewhere")
    await connection.close()
    settings = fresh_settings.model_copy(update={"database_url": SecretStr(owned_database)})

    async with running(settings, Folder(tmp_path), tmp_path / "heartbeat"):
        await eventually("the worker tries again", lambda: "deliver will be retried" in caplog.text)

    assert not (tmp_path / "heartbeat").exists()


def test_check_ends_without_a_word_if_the_settings_are_complete(
    monkeypatch: pytest.MonkeyPatch, fresh_settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = fresh_settings.model_copy(update={"smtp_host": "mail.example.com"})
    monkeypatch.setattr(process_of_worker, "get_settings", lambda: settings)

    process_of_worker.main(["--check"])

    assert capfd.readouterr() == ("", "")
