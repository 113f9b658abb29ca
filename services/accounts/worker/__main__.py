"""The process itself: settings, signals and logs around a ``Worker``."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from logging.config import dictConfig

from prometheus_client import start_http_server

from accounts.commands.run import fail, one_line_errors
from accounts.observability import logs
from accounts.settings import Settings, get_settings
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
    way = transport(settings)
    dictConfig(logs.config(settings))
    with one_line_errors(NAME), _metrics(settings):
        asyncio.run(_run(Worker(settings, way)))


@contextmanager
def _metrics(settings: Settings) -> Iterator[None]:
    host, port = settings.metrics_host, settings.metrics_port
    if not port:
        yield
        return
    try:
        server, _ = start_http_server(port, host)  # on a thread
    except OSError as error:
        fail(NAME, f"METRICS_PORT={port} of {host}: {error.strerror}")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


async def _run(worker: Worker) -> None:
    loop, running = asyncio.get_running_loop(), asyncio.create_task(worker.run())

    def stop() -> None:
        worker.stop()
        loop.call_later(STOP_SECONDS, running.cancel)

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop)
    await running


if __name__ == "__main__":
    main()
