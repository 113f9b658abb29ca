"""Serves ``/metrics`` on METRICS_PORT, apart from the public port.

Each gunicorn worker listens on both ports. The worker that accepts a scrape answers for all, from the files that
they share (prometheus-client's multiprocess mode). The mail queue is read from the database at each scrape.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from accounts.api import app
from accounts.db.errors import DATABASE_ERRORS
from accounts.db.session import Sessionmaker
from accounts.domain.mail.queue import Backlog, backlog
from accounts.settings import get_settings

DATABASE_SECONDS = 2


def create_app() -> ASGIApp:
    """Create the API. On METRICS_PORT, only ``/metrics`` is served."""
    api, metrics_port = app.create_app(), get_settings().metrics_port
    metrics = Starlette(routes=[Route("/metrics", answer_scrape)])
    metrics.router.redirect_slashes = False

    async def choose_by_port(scope: Scope, receive: Receive, send: Send) -> None:
        _, port = scope.get("server") or (None, None)  # the socket's own port, whatever the Host header says
        await (metrics if port == metrics_port else api)(scope, receive, send)

    return choose_by_port


async def answer_scrape(request: Request) -> Response:
    """Return the metrics of all workers, in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(MultiProcessCollector(None))  # type: ignore[no-untyped-call]  # prometheus-client's own
    registry.register(DatabaseCollector(await read_backlog(request.state.reader)))
    # Merging the files takes some milliseconds for each worker: not on the event loop, which serves users.
    return Response(await run_in_threadpool(generate_latest, registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def read_backlog(reader: Sessionmaker) -> Backlog | None:
    """Return the backlog of the mail queue, or None if the database does not answer within two seconds."""
    with suppress(*DATABASE_ERRORS):
        async with asyncio.timeout(DATABASE_SECONDS), reader() as db:
            return await backlog(db)
    return None


class DatabaseCollector(Collector):
    """Metrics that come from the database; only ``accounts_database_up`` if it did not answer."""

    def __init__(self, mail: Backlog | None) -> None:
        self.mail = mail

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Yield the metrics."""
        yield _gauge("accounts_database_up", "Whether the database answers the API.", self.mail is not None)
        if self.mail:
            yield _gauge("accounts_outbox_waiting", "Mails waiting to be sent.", self.mail.waiting)
            yield _gauge(
                "accounts_outbox_oldest_age_seconds", "Age of the oldest waiting mail.", self.mail.oldest_seconds
            )
            yield _gauge("accounts_outbox_parked", "Mails whose delivery failed for good.", self.mail.parked)


def _gauge(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation, value=float(value))
