"""The worker keeps the figures of the dashboard."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlmodel import select

from accounts.db.engine import create_engine
from accounts.db.session import Sessionmaker, create_sessionmaker, transaction
from accounts.domain.audit.log import Action, record
from accounts.domain.mail.outbox import OutgoingMail, enqueue
from accounts.models import Figure, MailKind, OutboxMail, Period
from accounts.settings import Settings
from accounts.worker import worker as worker_module
from accounts.worker.transports import Folder
from accounts.worker.worker import Worker
from support.waiting import PATIENCE, eventually


@pytest.fixture
def owner_settings(fresh_settings: Settings, owned_database: str) -> Settings:
    return fresh_settings.model_copy(update={"database_url": SecretStr(owned_database)})


@pytest.fixture
async def committing(owner_settings: Settings) -> AsyncIterator[Sessionmaker]:
    engine = create_engine(owner_settings, "test")
    yield create_sessionmaker(engine)
    await engine.dispose()


async def figures(sessionmaker: Sessionmaker) -> dict[str, int]:
    async with transaction(sessionmaker) as db:
        rows = await db.exec(select(Figure).where(Figure.period == Period.HOUR))
        return {row.name: row.value for row in rows if row.value}


async def test_worker_counts_what_happens_and_the_mail_that_it_sends(
    owner_settings: Settings, committing: Sessionmaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "COUNT_SECONDS", 0.05)
    monkeypatch.setattr(worker_module, "MAX_COUNT_SECONDS", 0.05)
    worker = Worker(owner_settings, Folder(tmp_path))
    running = asyncio.create_task(worker.run())
    async with transaction(committing) as db:
        await record(db, Action.SESSION_STARTED, methods=["pwd"])
        await enqueue(db, MailKind.PASSWORD_CHANGED, [OutgoingMail("arthur@camelot.example.com")])

    async def counted() -> bool:
        async with transaction(committing) as db:
            waiting = (await db.exec(select(OutboxMail.id))).all()
        return not waiting and "sign_in.password" in await figures(committing)

    await eventually("the worker has counted", counted)
    worker.stop()
    await asyncio.wait_for(running, PATIENCE)

    assert {"sign_in.password": 1, "mail.sent": 1}.items() <= (await figures(committing)).items()


async def test_worker_stops_while_there_is_more_to_count(
    owner_settings: Settings, committing: Sessionmaker, tmp_path: Path
) -> None:
    async with transaction(committing) as db:
        await (await db.connection()).exec_driver_sql(
            "INSERT INTO audit_event (at, action) VALUES (now() - interval '1 year', 'session.ended')"
        )
    worker = Worker(owner_settings, Folder(tmp_path))
    running = asyncio.create_task(worker.run())

    async def begun() -> bool:
        async with transaction(committing) as db:
            return (await db.exec(select(Figure.at).limit(1))).first() is not None

    await eventually("the worker has begun to count", begun)
    worker.stop()
    await asyncio.wait_for(running, PATIENCE)
