"""What runs side by side: several postmen, woken by the database and by the clock, and the pruning every hour."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from accounts import readiness
from accounts.db.engine import COMMAND_SECONDS, DriverConnection, create_engine, with_connection_metrics
from accounts.db.errors import DATABASE_ERRORS
from accounts.db.session import create_sessionmaker, transaction
from accounts.domain import retention
from accounts.domain.errors import NotReady
from accounts.domain.mail.outbox import CHANNEL
from accounts.settings import Settings
from accounts.worker.delivery import Delivery
from accounts.worker.delivery_errors import ServerUnavailable
from accounts.worker.transports import Transport

log = logging.getLogger("accounts.worker")
POSTMEN = 4
CONNECTIONS = POSTMEN + 1  # which listens
POLL_SECONDS = 10.0  # for what is due again, and should a notification be lost
PRUNE_SECONDS = 3600.0
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0


class Worker:
    """Runs until ``stop`` is called, and then ends what it has begun."""

    def __init__(self, settings: Settings, transport: Transport) -> None:
        self.settings = settings
        sized = settings.model_copy(update={"database_pool_size": CONNECTIONS})
        self.engine = with_connection_metrics(create_engine(sized, "worker", COMMAND_SECONDS))
        self.pruning = create_engine(settings, "worker")  # there may be years of it, in one statement
        self.sessionmaker = create_sessionmaker(self.engine)
        self.postman = Delivery(self.sessionmaker, transport, settings)
        self._posted = asyncio.Event()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()

    async def run(self) -> None:
        """Work; a bug ends it loudly, and neither the database nor the mail server does, however long they are away."""
        try:
            async with asyncio.TaskGroup() as group:
                for job in (self._listen, self._prune, *[self._deliver] * POSTMEN):
                    group.create_task(self._again(job))
        finally:
            await self.engine.dispose()
            await self.pruning.dispose()

    async def _again(self, job: Callable[[], Awaitable[None]]) -> None:
        """Do a job over and over; after an outage pause, each time for twice as long, until it succeeds."""
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                await job()
                pause = FIRST_PAUSE
            except (*DATABASE_ERRORS, NotReady, ServerUnavailable, TimeoutError) as error:
                log.warning("%s pauses for %.0f s: %s", job.__name__.strip("_"), pause, _line(error))
                await self._wait(self._stopping, pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _deliver(self) -> None:
        self._posted.clear()  # before it is looked, so that what is posted meanwhile wakes
        if not await self.postman.deliver():
            await self._wait(self._posted, POLL_SECONDS)

    async def _listen(self) -> None:
        lost = asyncio.Event()
        await readiness.check_readiness(self.sessionmaker)
        async with DriverConnection(self.engine) as connection:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, self._wake)
            await self._wait(lost)
            connection.terminate()  # so that nobody else gets a connection that listens

    def _wake(self, *_: object) -> None:
        self._posted.set()

    async def _prune(self) -> None:
        async with transaction(create_sessionmaker(self.pruning)) as db:
            deleted = await retention.delete_expired(db, self.settings)
        log.info(
            "pruned: %s", ", ".join(f"{count} of {table}" for table, count in deleted.items() if count) or "nothing"
        )
        await self._wait(self._stopping, PRUNE_SECONDS)

    async def _wait(self, event: asyncio.Event, seconds: float | None = None) -> None:
        """Wait for an event, for so long at the most, or for the end."""
        waits = [asyncio.create_task(each.wait()) for each in (event, self._stopping)]
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()


def _line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
