"""The worker process: woken by commits, stopped by SIGTERM, and without loss of mail in all outages."""

import asyncio
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from email.message import EmailMessage
from functools import partial
from inspect import isawaitable
from pathlib import Path
from typing import IO, Any

import asyncpg
import pytest
from pydantic import SecretStr
from sqlmodel import select

from accounts.db.engine import DriverConnection, create_engine
from accounts.db.session import create_sessionmaker, transaction
from accounts.domain.mail.outbox import OutgoingMail, enqueue
from accounts.domain.totp.resealing import Resealed, reseal_all
from accounts.models import MailKind, OutboxMail
from accounts.settings import Settings, get_settings
from accounts.worker import __main__ as process_of_worker
from accounts.worker import stopping
from accounts.worker import worker as worker_module
from accounts.worker.delivery import LEASE, Delivery
from accounts.worker.stopping import Stop
from accounts.worker.transports import Folder
from accounts.worker.worker import Worker
from conftest import execute
from faults.proxy import Proxy
from postgres import DURABLE, throwaway
from support.people import SCHEMA_OWNER, World
from support.second_factors import user_with_app
from support.smtp import Mailbox, serving
from support.waiting import PATIENCE, eventually


class Posts:
    """Enqueues mail with real commits, and counts what is left in the queue."""

    def __init__(self, url: str) -> None:
        self.url = url
        settings = get_settings().model_copy(update={"database_url": SecretStr(url)})
        self.engine = create_engine(settings, "test")
        self.sessionmaker = create_sessionmaker(self.engine)

    async def post(self, number: int) -> set[str]:
        letters = [OutgoingMail(f"knight{each}@camelot.example.com") for each in range(number)]
        async with transaction(self.sessionmaker) as db:
            await enqueue(db, MailKind.PASSWORD_CHANGED, letters)
        return {str(each.id) for each in letters}

    async def ids(self) -> set[str]:
        async with transaction(self.sessionmaker) as db:
            return {str(each) for each in await db.exec(select(OutboxMail.id))}

    async def left(self) -> int:
        return len(await self.ids())

    async def all_sent(self) -> None:
        """Wait until the queue is empty."""

        async def empty() -> bool:
            return await self.left() == 0

        await eventually("the mail queue is empty", empty)

    async def due(self, age: timedelta = timedelta()) -> None:
        """Expire all leases that have lasted so long: a worker that runs may still send what it leased just now."""
        connection: Any = await asyncpg.connect(self.url)
        await connection.execute("UPDATE outbox SET next_at = now() WHERE next_at <= now() + $1", LEASE - age)
        await connection.close()


@asynccontextmanager
async def posting(url: str) -> AsyncIterator[Posts]:
    posts = Posts(url)
    yield posts
    await posts.engine.dispose()


@contextmanager
def process(url: str, port: int, stderr: IO[bytes] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {"DATABASE_URL": url, "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port)}
    environment |= {"SMTP_SECURITY": "none", "LOG_LEVEL": "warning"}
    worker = subprocess.Popen([sys.executable, "-m", "accounts.worker"], env=environment, stderr=stderr)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()


def names(folder: Path) -> list[str]:
    return [each.name for each in folder.glob("*.eml")]


async def test_commit_wakes_the_worker_and_stop_ends_it(
    fresh_settings: Settings, fresh_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "POLL_SECONDS", 3600)  # polling alone would find the mail too late
    async with posting(fresh_database) as posts:
        worker = Worker(fresh_settings, Folder(tmp_path))
        running = asyncio.create_task(worker.run())
        await asyncio.sleep(0.5)  # until it has found nothing and waits

        await posts.post(1)
        await posts.all_sent()
        worker.stop()
        await asyncio.wait_for(running, PATIENCE)

    assert len(names(tmp_path)) == 1


async def test_worker_seals_authenticator_apps_with_the_key_that_signs_now_and_tells_of_lost_keys(
    busy_world: World, fresh_settings: Settings, owned_database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("arthur", "bors"):
        await user_with_app(busy_world, name)
    await busy_world.sql(
        "UPDATE totp SET secret_sealed = 'of no key' WHERE user_id = (SELECT user_id FROM totp LIMIT 1)"
    )
    keys = SecretStr(f"a-new-key-of-at-least-32-characters,{busy_world.key}")
    settings = fresh_settings.model_copy(update={"database_url": SecretStr(owned_database), "secret_key": keys})
    caplog.set_level("INFO", "accounts.worker")
    worker = Worker(settings, Folder(tmp_path))
    running = asyncio.create_task(worker.run())

    await eventually("the worker has cleaned up", lambda: "expired data" in caplog.text)
    worker.stop()
    await asyncio.wait_for(running, PATIENCE)

    assert (
        "1 authenticator apps cannot be used: they are sealed with a key that SECRET_KEY no longer has" in caplog.text
    )
    async with transaction(busy_world.sessionmaker) as db:
        assert await reseal_all(db, settings) == Resealed(unreadable=1)


async def test_mail_of_a_rolled_back_transaction_is_not_sent(
    fresh_settings: Settings, fresh_database: str, tmp_path: Path
) -> None:
    async with posting(fresh_database) as posts:
        worker = Worker(fresh_settings, Folder(tmp_path))
        running = asyncio.create_task(worker.run())
        with suppress(ZeroDivisionError):
            async with transaction(posts.sessionmaker) as db:
                await enqueue(db, MailKind.PASSWORD_CHANGED, [OutgoingMail("arthur@camelot.example.com")])
                1 / 0  # noqa: B018  # what goes wrong

        await posts.post(1)
        await posts.all_sent()
        worker.stop()
        await asyncio.wait_for(running, PATIENCE)

    assert ["knight0" in each for each in names(tmp_path)] == [True]


def test_sigterm_ends_the_process(fresh_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = fresh_settings.model_copy(update={"mail_folder": tmp_path})
    monkeypatch.setattr(process_of_worker, "get_settings", lambda: settings)
    monkeypatch.setattr(process_of_worker, "dictConfig", lambda _: None)  # the tests have their own logs
    threading.Timer(1, os.kill, (os.getpid(), signal.SIGTERM)).start()

    process_of_worker.main()


class CuttingTransport:
    """Accepts mail, and makes the database unreachable for half a second."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.taken = 0

    async def send(self, _: EmailMessage) -> None:
        self.taken += 1
        await asyncio.to_thread(execute, f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS false")
        others = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.name}'"  # noqa: S608  # ours
        await asyncio.to_thread(execute, others)
        asyncio.get_running_loop().call_later(0.5, self._mend)

    async def close(self) -> None:
        pass

    def _mend(self) -> None:
        threading.Thread(target=execute, args=(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS true",)).start()


async def test_mail_sent_during_a_database_outage_is_not_sent_again(
    fresh_settings: Settings, fresh_database: str
) -> None:
    async with posting(fresh_database) as posts:
        await posts.post(1)
        transport = CuttingTransport(str(posts.engine.url.database))
        delivery = Delivery(
            posts.sessionmaker, partial(DriverConnection, posts.engine), transport, fresh_settings, Stop()
        )

        assert await delivery.deliver_next()

        assert (transport.taken, await posts.left()) == (1, 0)


class StoppingTransport(CuttingTransport):
    """Accepts mail during a stop, and makes the database unreachable for good."""

    def __init__(self, name: str, stop: Stop) -> None:
        super().__init__(name)
        self._stop = stop

    async def send(self, mail: EmailMessage) -> None:
        self._stop.request()
        await super().send(mail)

    def _mend(self) -> None:
        pass


async def test_mail_whose_end_cannot_be_stored_before_a_stop_stays_in_the_queue(
    fresh_settings: Settings, fresh_database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stopping, "DATABASE_SECONDS", 0.1)
    async with posting(fresh_database) as posts:
        await posts.post(1)
        name, stop = str(posts.engine.url.database), Stop()
        transport, connect = StoppingTransport(name, stop), partial(DriverConnection, posts.engine)

        assert await Delivery(posts.sessionmaker, connect, transport, fresh_settings, stop).deliver_next()

        assert [each.getMessage().partition(": ")[2] for each in caplog.records if each.name == "accounts.worker"] == [
            "the database is away; it is due again after its lease"
        ]
        await asyncio.to_thread(execute, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert (transport.taken, await posts.left()) == (1, 1)


@pytest.mark.slow
async def test_two_workers_share_the_queue_without_sending_twice(owned_database: str) -> None:
    mailbox = Mailbox()
    async with serving(mailbox) as port, posting(owned_database) as posts:
        sent = await posts.post(40)
        with process(owned_database, port), process(owned_database, port):
            await posts.all_sent()

    assert mailbox.ids() == Counter(sent)


@pytest.mark.slow
async def test_killed_workers_lose_no_mail(owned_database: str) -> None:
    mailbox = Mailbox(seconds=0.05)
    async with serving(mailbox) as port, posting(owned_database) as posts:
        sent = await posts.post(30)
        for _ in range(3):
            before = len(mailbox.messages)
            with process(owned_database, port) as worker:
                await mailbox.received(before + 4)
                worker.kill()
            await posts.due()
        with process(owned_database, port):
            await posts.all_sent()

    ids = mailbox.ids()
    assert ids.keys() == sent
    assert ids.total() - len(sent) <= 3 * 4  # those that it had sent and not ended, of four at once


@pytest.mark.slow
async def test_kill_doubles_only_letters_that_were_accepted_and_not_deleted_yet(owned_database: str) -> None:
    """SMTP cannot avoid that: the server has a letter, and the worker dies before it could store this."""
    mailbox = Mailbox()
    async with serving(mailbox) as port, posting(owned_database) as posts:
        sent = await posts.post(500)
        with process(owned_database, port) as worker:
            await mailbox.received(100)
            worker.kill()
            await asyncio.to_thread(worker.wait)
        await asyncio.sleep(0.5)  # until the server has read what the worker sent
        doubled = mailbox.ids().keys() & await posts.ids()
        await posts.due()
        with process(owned_database, port):
            await posts.all_sent()

    assert mailbox.ids() == Counter(sent) + Counter(doubled)
    assert len(doubled) <= worker_module.DELIVERIES


@pytest.mark.slow
async def test_outages_of_mail_server_and_database_lose_no_mail() -> None:
    with throwaway(DURABLE) as cluster:
        environment = os.environ | {"DATABASE_URL": cluster.url()}
        migrate = [sys.executable, "-m", "alembic", "upgrade", "head"]
        await asyncio.to_thread(subprocess.run, migrate, env=environment, check=True)
        mailbox = Mailbox(seconds=0.02)
        async with posting(cluster.url()) as posts:
            sent = await posts.post(20)
            async with serving(mailbox) as port:
                pass
            with process(cluster.url(), port) as worker:
                await asyncio.sleep(1.5)
                assert (await posts.left(), worker.poll()) == (20, None)
                async with serving(mailbox, port):
                    await mailbox.received(4)
                    await asyncio.to_thread(cluster.stop, signal.SIGQUIT)  # without a checkpoint, as in a crash
                    await asyncio.to_thread(cluster.start)
                    sent |= await posts.post(5)
                    while await posts.left():
                        await posts.due(age=timedelta(seconds=3))
                        await asyncio.sleep(0.2)
                    worker.terminate()
                    assert await asyncio.to_thread(worker.wait, PATIENCE) == 0

    ids = mailbox.ids()
    assert ids.keys() == sent
    assert ids.total() - len(sent) <= 4


@asynccontextmanager
async def running_behind_a_proxy(
    settings: Settings, database: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **seconds: float
) -> AsyncIterator[tuple[Posts, Proxy]]:
    """Run a worker whose database can fall silent, until it has stopped. It has sent one mail at the start."""
    for name, value in seconds.items():
        monkeypatch.setattr(worker_module, name, value)
    async with posting(database) as posts, Proxy(database) as proxy:
        worker = Worker(
            settings.model_copy(update={"database_url": SecretStr(proxy.url(SCHEMA_OWNER))}), Folder(folder)
        )
        running = asyncio.create_task(worker.run())
        await posts.post(1)
        await posts.all_sent()
        yield posts, proxy
        worker.stop()
        await asyncio.wait_for(running, PATIENCE)


@pytest.mark.slow
async def test_worker_recovers_from_a_silent_database_and_can_still_stop(
    fresh_settings: Settings, owned_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = {"POLL_SECONDS": 0.2, "COMMAND_SECONDS": 2.0}
    async with running_behind_a_proxy(fresh_settings, owned_database, tmp_path, monkeypatch, **seconds) as (
        posts,
        proxy,
    ):
        proxy.swallow()
        await posts.post(1)
        await asyncio.sleep(2.5)
        proxy.heal()
        await posts.all_sent()

        proxy.swallow()

    assert len(names(tmp_path)) == 2


@pytest.mark.slow
async def test_connection_that_listens_is_replaced_when_its_server_is_gone(
    fresh_settings: Settings, owned_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Polling would hide the fault.
    seconds = {"POLL_SECONDS": 3600.0, "HEARTBEAT_SECONDS": 0.2, "COMMAND_SECONDS": 1.0}
    async with running_behind_a_proxy(fresh_settings, owned_database, tmp_path, monkeypatch, **seconds) as (
        posts,
        proxy,
    ):
        proxy.swallow()  # what is connected now stays silent, as if the host had lost its power
        proxy.heal()
        await posts.post(1)
        await posts.all_sent()

    assert len(names(tmp_path)) == 2


@pytest.mark.slow
async def test_stop_ends_a_clean_up_whose_database_does_not_answer(
    fresh_settings: Settings, owned_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "DATABASE_SECONDS", 1)
    holder, watcher = [await asyncpg.connect(owned_database) for _ in range(2)]
    async with Proxy(owned_database) as proxy, holder.transaction():
        await holder.execute("LOCK TABLE user_session")
        settings = fresh_settings.model_copy(update={"database_url": SecretStr(proxy.url(SCHEMA_OWNER))})
        worker = Worker(settings, Folder(tmp_path))
        running = asyncio.create_task(worker.run())
        await eventually("the clean-up waits for the lock", partial(waits_for_a_lock, watcher))

        proxy.swallow()  # the clean-up has no timeout of its own
        worker.stop()
        await asyncio.wait_for(running, PATIENCE)
    await holder.close()
    await watcher.close()


async def waits_for_a_lock(connection: Any) -> bool:
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return bool(await connection.fetchval(f"SELECT EXISTS ({waiting})"))


@pytest.mark.slow(seconds=15)
@pytest.mark.parametrize("fault", [Proxy.refuse, Proxy.swallow])
async def test_stop_without_a_database_finishes_smtp_and_ends_cleanly(
    fault: Callable[[Proxy], Awaitable[None] | None], owned_database: str, tmp_path: Path
) -> None:
    mailbox, log = Mailbox(), tmp_path / "log"
    mailbox.reply.clear()
    async with serving(mailbox) as port, posting(owned_database) as posts, Proxy(owned_database) as proxy:
        sent = await posts.post(1)
        with log.open("wb") as stderr, process(proxy.url(SCHEMA_OWNER), port, stderr) as worker:
            await asyncio.wait_for(mailbox.sending.wait(), PATIENCE)
            if isawaitable(done := fault(proxy)):
                await done
            worker.terminate()
            mailbox.reply.set()
            assert await asyncio.to_thread(worker.wait, PATIENCE) == 0

        assert mailbox.ids() == Counter(sent)  # SMTP in progress was finished
        assert log.read_text().count("is due again after its lease") == 1
        assert "Traceback" not in log.read_text()
        await posts.due()
        with process(owned_database, port):
            await posts.all_sent()

    assert mailbox.ids() == Counter(sent) + Counter(sent)  # the same Message-ID


async def test_log_says_why_the_database_is_not_ready(
    fresh_settings: Settings, owned_database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connection = await asyncpg.connect(owned_database)
    await connection.execute("UPDATE alembic_version SET version_num = 'of-the-future'")
    await connection.close()
    worker = Worker(fresh_settings, Folder(tmp_path))
    running = asyncio.create_task(worker.run())

    await eventually("the log has the reason", lambda: "The schema is at of-the-future" in caplog.text)
    worker.stop()
    await asyncio.wait_for(running, PATIENCE)


@pytest.mark.parametrize("options", [[], ["--check"]])
def test_missing_smtp_host_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch, options: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["worker", *options])

    with pytest.raises(SystemExit, match=r"^accounts: SMTP_HOST is not set, so mail cannot be sent$"):
        runpy.run_path(process_of_worker.__file__, run_name="__main__")


async def test_expired_mail_is_deleted(
    busy_world: World, owned_database: str, fresh_settings: Settings, tmp_path: Path
) -> None:
    await busy_world.user("arthur")
    await busy_world.client.post("/auth/forgot-password", json={"email": "arthur@camelot.example.com"})
    await busy_world.sql("UPDATE outbox SET parked_at = now() - interval '31 days'")
    settings = fresh_settings.model_copy(update={"database_url": SecretStr(owned_database)})
    worker = Worker(settings, Folder(tmp_path))
    running = asyncio.create_task(worker.run())

    async def pruned() -> bool:
        return not await busy_world.mails()

    await eventually("old mail is deleted", pruned)
    worker.stop()
    await asyncio.wait_for(running, PATIENCE)


async def test_token_that_expires_soon_causes_a_notice(
    fresh_settings: Settings, busy_world: World, owned_database: str, tmp_path: Path
) -> None:
    await busy_world.access_key(await busy_world.user("arthur"), "profile:read")
    age = "UPDATE access_key SET created_at = now() - interval '80 days', expires_at = now() + interval '6 days'"
    await busy_world.sql(age)
    worker = Worker(fresh_settings.model_copy(update={"database_url": SecretStr(owned_database)}), Folder(tmp_path))
    running = asyncio.create_task(worker.run())

    async def sent() -> bool:
        return any("token_expires" in name for name in names(tmp_path))

    await eventually("the notice is sent", sent)
    worker.stop()
    await running
