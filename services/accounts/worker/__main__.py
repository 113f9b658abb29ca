"""The process itself: settings, signals and logs around a ``Worker``."""

import asyncio
import signal
from logging.config import dictConfig

from accounts import logs
from accounts.cli import one_line
from accounts.settings import get_settings
from accounts.worker.transports import transport
from accounts.worker.worker import Worker

NAME = "worker"
STOP_SECONDS = (
    40.0  # a delivery in progress ends within SMTP_SECONDS; what can't end, since the database is away, is cut
)


def main() -> None:
    """Work until SIGTERM or SIGINT, and end with what has begun done.

    Raises:
        SystemExit: with status 1 and the reason, when the settings are wrong.

    """
    settings = get_settings()
    dictConfig(logs.config(settings))
    with one_line(NAME):
        asyncio.run(_run(Worker(settings, transport(settings))))


async def _run(worker: Worker) -> None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def stop() -> None:
        worker.stop()
        if task:
            loop.call_later(STOP_SECONDS, task.cancel)

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop)
    await worker.run()


if __name__ == "__main__":
    main()
