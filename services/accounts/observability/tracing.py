"""Spans of requests and of their statements, sent by OTLP. Imported only where OTEL_EXPORTER_OTLP_ENDPOINT is set.

FastAPI makes those of requests. Of what a span knows only ``SHOWN`` leaves the process: no path, no query, no text of
an error, which may quote what somebody wrote. Of a statement that is its text, whose values are parameters.
"""

import math
import time
from collections.abc import Sequence
from typing import Any, override

from fastapi.telemetry import TelemetryConfig
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.sqlalchemy.engine import EngineTracer
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from accounts.observability import logs
from accounts.settings import Settings

NAME = "accounts"
PROBES = "/health/"  # asked for every few seconds, by nobody
SECONDS = 3  # for the collector to answer; a stop waits for twice as long at the most
EXPORTED_ATTRIBUTES = frozenset({
    "http.request.method", "http.route", "http.response.status_code", "error.type", "url.scheme",
    "network.protocol.version", "code.function.name", "db.system", "db.name", "db.statement",
})  # fmt: skip


class Tracing:
    """Makes spans; nothing is sent, and no thread begins, before ``start``. ``telemetry`` is what FastAPI takes."""

    def __init__(self, settings: Settings) -> None:
        self._url = f"{settings.otel_exporter_otlp_endpoint.rstrip('/')}/v1/traces"
        self.provider = TracerProvider(resource=Resource.create({"service.name": NAME}), shutdown_on_exit=False)
        self.telemetry: TelemetryConfig = {
            "tracer_provider": self.provider, "metrics": False, "logs": False, "auto_configure": False,
            "exclude": lambda scope: scope["path"].startswith(PROBES),
        }  # fmt: skip
        self._tracer = self.provider.get_tracer(NAME)

    def start(self, engine: AsyncEngine) -> None:
        """Begin to send, in the process that serves, and with what runs on the engine's connections."""
        self._exporter = RedactingExporter(OTLPSpanExporter(endpoint=self._url, timeout=SECONDS))
        self.provider.add_span_processor(BatchSpanProcessor(self._exporter))
        usage = metrics.NoOpMeter(NAME).create_up_down_counter(NAME)
        EngineTracer(self._tracer, engine.sync_engine, usage)  # type: ignore[no-untyped-call]  # its own
        # What is handed to the driver directly. It does not tell of what SQLAlchemy has prepared.
        event.listen(engine.sync_engine, "connect", lambda made, _: made.driver_connection.add_query_logger(self._ran))
        logs.context = trace_ids

    def stop(self) -> None:
        """Send what is left, for some seconds at the most."""
        logs.context = dict
        self._exporter.until = time.monotonic() + SECONDS
        self.provider.shutdown()

    def _ran(self, query: Any) -> None:
        now, verb = time.time_ns(), query.query.split(maxsplit=1)[0].rstrip(";")
        span = self._tracer.start_span(
            f"{verb} {query.conn_params.database}",
            kind=SpanKind.CLIENT,
            attributes={"db.system": "postgresql", "db.statement": query.query},
            start_time=now - int(query.elapsed * 1e9),
        )
        if query.exception:
            span.set_attribute("error.type", type(query.exception).__name__)
            span.set_status(StatusCode.ERROR)
        span.end(now)


def trace_ids() -> dict[str, str]:
    """Name the trace that is under way, for the log."""
    found = trace.get_current_span().get_span_context()
    return {"trace_id": trace.format_trace_id(found.trace_id)} if found.is_valid else {}


class RedactingExporter(SpanExporter):
    """Hands on what may be shown of each span, until a time by ``time.monotonic``."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.until = math.inf

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if time.monotonic() > self.until:
            return SpanExportResult.FAILURE
        return self._exporter.export([_discreet(span) for span in spans])

    @override
    def shutdown(self) -> None:
        self._exporter.shutdown()


def _discreet(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={name: value for name, value in (span.attributes or {}).items() if name in EXPORTED_ATTRIBUTES},
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
