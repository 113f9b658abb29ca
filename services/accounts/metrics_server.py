"""Serves ``/metrics``, in a process of its own beside the API's workers: it answers whatever they are busy with.

The mail that waits is asked of the database at each scrape, for two seconds at the most.
"""

import asyncio
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, make_asgi_app
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp
from uvicorn import Config, Server

from accounts.db.engine import create_engine
from accounts.db.errors import DATABASE_ERRORS
from accounts.db.session import Sessionmaker, create_sessionmaker
from accounts.domain.mail.queue import Backlog, backlog
from accounts.settings import Settings

SECONDS = 2
LOOK_SECONDS = 1.0


def listen(settings: Settings) -> socket.socket:
    """Take the port.

    Raises:
        SystemExit: somebody else has it, with one line.

    """
    host, port = settings.metrics_host, settings.metrics_port
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise SystemExit(f"accounts: METRICS_PORT={port} of {host}: {error.strerror}") from None


async def serve(settings: Settings, where: socket.socket, directory: Path, over: Callable[[], bool]) -> None:
    """Serve until a signal comes, or ``over``, which is asked each second."""
    engine = create_engine(settings.model_copy(update={"database_pool_size": 1}), "metrics")
    server = Server(Config(application(create_sessionmaker(engine), directory), lifespan="off", log_config=None,
                           log_level="warning", access_log=False, server_header=False))  # fmt: skip
    watch = asyncio.create_task(_watch(server, over))
    try:
        await server.serve(sockets=[where])
    finally:
        watch.cancel()
        await engine.dispose()


def application(sessionmaker: Sessionmaker, directory: Path) -> Starlette:
    """Make what answers: the counts in the files of ``directory``, and what the database says."""

    async def metrics(_: Request) -> ASGIApp:
        registry = CollectorRegistry()
        registry.register(MultiProcessCollector(None, str(directory)))  # type: ignore[no-untyped-call]  # its own
        registry.register(DatabaseCollector(await _ask(sessionmaker)))
        return make_asgi_app(registry)

    return Starlette(routes=[Route("/metrics", metrics)])


class DatabaseCollector(Collector):
    """What the database has answered, or None where it has not."""

    def __init__(self, found: Backlog | None) -> None:
        self.found = found

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Show it."""
        yield _gauge("accounts_database_up", "Whether the database answers this process.", self.found is not None)
        if self.found:
            yield _gauge("accounts_outbox_waiting", "Mails to be sent.", self.found.waiting)
            yield _gauge(
                "accounts_outbox_oldest_age_seconds", "For how long the oldest has waited.", self.found.oldest_seconds
            )
            yield _gauge("accounts_outbox_parked", "Mails that were given up.", self.found.parked)


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, value=float(value))


async def _ask(sessionmaker: Sessionmaker) -> Backlog | None:
    with suppress(*DATABASE_ERRORS):
        async with asyncio.timeout(SECONDS), sessionmaker() as db:
            return await backlog(db)
    return None


async def _watch(server: Server, over: Callable[[], bool]) -> None:
    while not over():  # noqa: ASYNC110  # that is no event of this process
        await asyncio.sleep(LOOK_SECONDS)
    server.should_exit = True
