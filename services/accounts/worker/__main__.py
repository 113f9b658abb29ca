"""Runs a ``Worker`` as a process: settings, signals, logs and metrics."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from logging.config import dictConfig
from pathlib import Path

from prometheus_client import start_http_server

from accounts.commands.production import refuse_published_password
from accounts.commands.run import fail, one_line_errors
from accounts.observability import logs
from accounts.settings import Settings, get_settings
from accounts.worker.rendering import check_templates
from accounts.worker.transports import create_transport
from accounts.worker.worker import Worker

NAME = "worker"


def main(argv: Sequence[str] = ()) -> None:
    """Run until SIGTERM or SIGINT, and finish deliveries in progress: at most 45 s, of which SMTP has 30.

    Raises:
        SystemExit: with status 1 and the reason, if the settings are invalid, or 2 for a wrong command line.

    """
    arguments = _parse(argv)
    settings = get_settings()
    transport = create_transport(settings)
    check_templates(settings)
    if arguments.check:
        return
    dictConfig(logs.config(settings))
    refuse_published_password(NAME)
    with one_line_errors(NAME), _metrics(settings):
        asyncio.run(_run(Worker(settings, transport, arguments.heartbeat)))


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m accounts.worker", description="Send mail and delete expired data.")
    text = "check the settings, of which the worker needs more than other processes, and end"
    parser.add_argument("--check", action="store_true", help=text)
    text = "file to touch each time that the queue was read, at least every two minutes: for health checks"
    parser.add_argument("--heartbeat", type=Path, metavar="FILE", help=text)
    return parser.parse_args(argv)


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
    main(sys.argv[1:])
