"""Runs a ``Worker`` as a process: settings, signals, logs and metrics."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from logging.config import dictConfig

from prometheus_client import start_http_server

from accounts.commands.production import refuse_published_password
from accounts.commands.run import fail, one_line_errors
from accounts.observability import logs
from accounts.settings import Settings, get_settings
from accounts.worker.transports import create_transport
from accounts.worker.worker import Worker

NAME = "worker"


def main() -> None:
    """Run until SIGTERM or SIGINT, and finish deliveries in progress: at most 45 s, of which SMTP has 30.

    Raises:
        SystemExit: with status 1 and the reason, if the settings are invalid.

    """
    settings = get_settings()
    transport = create_transport(settings)
    dictConfig(logs.config(settings))
    refuse_published_password(NAME)
    with one_line_errors(NAME), _metrics(settings):
        asyncio.run(_run(Worker(settings, transport)))


@contextmanager
def _metrics(settings: Settings) -> Iterator[None]:
    host, port = settings.metrics_host, settings.metrics_port
    if not port:
        yield
        return
    try:
        server, _ = start_http_server(port, host)  # in a thread
    except OSError as error:
        fail(NAME, f"METRICS_PORT={port} of {host}: {error.strerror}")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


async def _run(worker: Worker) -> None:
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, worker.stop)
    await worker.run()


if __name__ == "__main__":
    main()
