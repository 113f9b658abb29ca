"""The worker's concurrent jobs: deliveries and imports, woken by notifications or by polling, figures, and clean-up."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from time import monotonic

from accounts import readiness
from accounts.commands.run import reason
from accounts.db.engine import COMMAND_SECONDS, DriverConnection, create_engine, with_connection_metrics
from accounts.db.errors import DATABASE_ERRORS
from accounts.db.session import Session, create_sessionmaker, transaction
from accounts.domain import retention
from accounts.domain.access_keys.expiry import notify_of_expiry
from accounts.domain.errors import NotReady
from accounts.domain.figures import counting
from accounts.domain.figures.tally import Tally, mails, storing
from accounts.domain.groups import deletion
from accounts.domain.mail.outbox import CHANNEL
from accounts.domain.member_imports.managing import CHANNEL as IMPORTS_CHANNEL
from accounts.domain.totp.resealing import reseal_all
from accounts.settings import Settings
from accounts.worker.delivery import Delivery
from accounts.worker.delivery_errors import ServerUnavailable
from accounts.worker.member_imports import MemberImports
from accounts.worker.stopping import Stop
from accounts.worker.transports import Transport

log = logging.getLogger("accounts.worker")
DELIVERIES = 4  # at the same time
CONNECTIONS = DELIVERIES + 3  # one listens, and two are for an import and its progress
POLL_SECONDS = 10.0  # for retries, and in case a notification is lost
HEARTBEAT_SECONDS = 10.0  # a connection that only listens does not notice that the network or the server is gone
CLEANUP_SECONDS = 3600.0
# The pause is fifty times as long as counting took: counting may take long, and then is done more rarely.
COUNT_SECONDS, MAX_COUNT_SECONDS, COUNT_SHARE = 60.0, 600.0, 50
UNREADABLE = "they are sealed with a key that SECRET_KEY no longer has; put it back, after the other keys"
FIRST_PAUSE, MAX_PAUSE = 1.0, 60.0


class Worker:
    """Runs until ``stop`` is called, then finishes deliveries in progress."""

    def __init__(self, settings: Settings, transport: Transport, heartbeat: Path | None = None) -> None:
        self.settings, self.transport = settings, transport
        self.heartbeat = heartbeat  # the file to touch each time that the queue was read
        sized = settings.model_copy(update={"database_pool_size": CONNECTIONS})
        self.engine = with_connection_metrics(create_engine(sized, "worker", COMMAND_SECONDS))
        self.cleanup_engine = create_engine(settings, "worker")  # no timeout: one statement may delete years of data
        self.sessionmaker = create_sessionmaker(self.engine)
        self._stop = Stop()
        connect = partial(DriverConnection, self.engine)
        self.delivery = Delivery(self.sessionmaker, connect, transport, settings, self._stop)
        self._imports = MemberImports(self.sessionmaker, connect, settings)
        self._notified, self._import_stored = asyncio.Event(), asyncio.Event()
        self._mails = Tally(mails)

    def stop(self) -> None:
        """Start no further deliveries, and do not wait for a database that is away."""
        self._stop.request()

    async def run(self) -> None:
        """Run all jobs. Outages of the database or the mail server are retried; unexpected errors are raised."""
        try:
            async with storing(self._mails, self.sessionmaker), asyncio.TaskGroup() as group:
                jobs = self._listen, self._clean_up, self._delete_members, self._count, self._import
                for job in (*jobs, *[self._deliver] * DELIVERIES):
                    group.create_task(self._repeat(job))
        finally:
            await self.transport.close()
            await self.engine.dispose()
            await self.cleanup_engine.dispose()

    async def _repeat(self, job: Callable[[], Awaitable[None]]) -> None:
        """Repeat a job. After an outage, pause with exponential backoff."""
        pause = FIRST_PAUSE
        while not self._stop.is_requested():
            try:
                await job()
                pause = FIRST_PAUSE
            except (*DATABASE_ERRORS, NotReady, ServerUnavailable, TimeoutError) as error:
                if self._stop.is_requested():
                    return
                log.warning("%s will be retried in %.0f s: %s", job.__name__.strip("_"), pause, reason(error))
                await self._wait(self._stop, pause)
                pause = min(2 * pause, MAX_PAUSE)

    async def _deliver(self) -> None:
        self._notified.clear()  # before the query, so that mail enqueued during it is not missed
        try:
            found = await self.delivery.deliver_next()
        except ServerUnavailable:
            self._beat()  # the worker is well, and the mail server is not
            raise
        self._beat()
        if not found:
            await self._wait(self._notified, POLL_SECONDS)

    def _beat(self) -> None:
        if self.heartbeat:
            self.heartbeat.touch()

    async def _listen(self) -> None:
        lost = asyncio.Event()
        async with self._stop.limit():
            await readiness.check_readiness(self.sessionmaker)
            async with DriverConnection(self.engine) as connection:
                connection.add_termination_listener(lambda _: lost.set())
                await connection.add_listener(CHANNEL, self._wake)
                await connection.add_listener(IMPORTS_CHANNEL, self._wake_import)
                self._wake()  # for mail that was enqueued while no connection listened
                self._wake_import()
                try:
                    while not await self._wait(lost, HEARTBEAT_SECONDS):
                        await connection.execute("SELECT 1")
                finally:
                    connection.terminate()  # a connection that listens must not return to the pool

    def _wake(self, *_: object) -> None:
        self._notified.set()

    def _wake_import(self, *_: object) -> None:
        self._import_stored.set()

    async def _import(self) -> None:
        self._import_stored.clear()  # before the query, likewise
        async with self._stop.limit():
            pause = await self._imports.run_next()
        await self._wait(self._import_stored, pause)

    async def _clean_up(self) -> None:
        try:
            async with self._stop.limit(), transaction(self.sessionmaker) as db:
                await notify_of_expiry(db)
            async with self._stop.limit(), transaction(self.sessionmaker) as db:
                resealed = await reseal_all(db, self.settings)
            if resealed.unreadable:
                log.error("%d authenticator apps cannot be used: %s", resealed.unreadable, UNREADABLE)
            async with self._stop.limit(), transaction(create_sessionmaker(self.cleanup_engine)) as db:
                deleted = await retention.delete_expired(db, self.settings)
        except retention.PruningRefused as error:
            log.error("expired data was not all deleted: %s", error)  # noqa: TRY400  # not a bug
        else:
            counts = ", ".join(f"{count} of {table}" for table, count in deleted.items() if count)
            log.info("expired data deleted: %s", counts or "none")
        await self._wait(self._stop, CLEANUP_SECONDS)

    async def _count(self) -> None:
        started = monotonic()
        for job in (counting.count_waiting_mail, counting.count_active, counting.count_recorded):
            while await self._in_transaction(job) and not self._stop.is_requested():
                pass
        pause = min(COUNT_SHARE * (monotonic() - started), MAX_COUNT_SECONDS)
        await self._wait(self._stop, max(COUNT_SECONDS, pause))

    async def _delete_members(self) -> None:
        after: uuid.UUID | None = deletion.START
        while after and not self._stop.is_requested():
            after = await self._in_transaction(partial(deletion.delete_batch, after=after))
        await self._wait(self._stop, POLL_SECONDS)

    async def _in_transaction[Result](self, job: Callable[[Session], Awaitable[Result]]) -> Result:
        async with self._stop.limit(), transaction(create_sessionmaker(self.cleanup_engine)) as db:
            return await job(db)

    async def _wait(self, event: asyncio.Event | Stop, seconds: float) -> bool:
        """Wait for an event or for ``stop``, at most for ``seconds``. Return whether one of them came."""
        waits = [asyncio.create_task(awaited.wait()) for awaited in (event, self._stop)]
        done, _ = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return bool(done)
