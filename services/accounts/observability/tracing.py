"""Traces of requests and their SQL statements, sent by OTLP. Imported only if OTEL_EXPORTER_OTLP_ENDPOINT is set.

FastAPI creates the spans of requests. Only ``EXPORTED_ATTRIBUTES`` leave the process: no path, no query and no text of
an error, which may quote user input. A statement is exported as text, without the values of its parameters.
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
PROBES = "/health/"  # called every few seconds, by machines
SECONDS = 3  # timeout of the collector; a shutdown waits at most twice as long
EXPORTED_ATTRIBUTES = frozenset({
    "http.request.method", "http.route", "http.response.status_code", "error.type", "url.scheme",
    "network.protocol.version", "code.function.name", "db.system", "db.name", "db.statement",
})  # fmt: skip


class Tracing:
    """Creates spans. Nothing is sent and no thread runs before ``start``. FastAPI gets ``telemetry``."""

    def __init__(self, settings: Settings) -> None:
        self._url = f"{settings.otel_exporter_otlp_endpoint.rstrip('/')}/v1/traces"
        self.provider = TracerProvider(resource=Resource.create({"service.name": NAME}), shutdown_on_exit=False)
        self.telemetry: TelemetryConfig = {
            "tracer_provider": self.provider, "metrics": False, "logs": False, "auto_configure": False,
            "exclude": lambda scope: scope["path"].startswith(PROBES),
        }  # fmt: skip
        self._tracer = self.provider.get_tracer(NAME)

    def start(self, *engines: AsyncEngine) -> None:
        """Start sending spans, and tracing the engines' statements. Call it after the fork of the worker."""
        self._exporter = RedactingExporter(OTLPSpanExporter(endpoint=self._url, timeout=SECONDS))
        self.provider.add_span_processor(BatchSpanProcessor(self._exporter))
        usage = metrics.NoOpMeter(NAME).create_up_down_counter(NAME)
        for engine in engines:
            EngineTracer(self._tracer, engine.sync_engine, usage)  # type: ignore[no-untyped-call]  # its own
            # For statements that bypass SQLAlchemy. asyncpg's query log has none of those that SQLAlchemy prepares.
            event.listen(
                engine.sync_engine,
                "connect",
                lambda connection, _: connection.driver_connection.add_query_logger(self._record),
            )
        logs.context = trace_ids

    def stop(self) -> None:
        """Send the remaining spans, for a few seconds at most."""
        logs.context = dict
        self._exporter.until = time.monotonic() + SECONDS
        self.provider.shutdown()

    def _record(self, query: Any) -> None:
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
    """Return the id of the current trace, for the log."""
    current = trace.get_current_span().get_span_context()
    return {"trace_id": trace.format_trace_id(current.trace_id)} if current.is_valid else {}


class RedactingExporter(SpanExporter):
    """Exports ``EXPORTED_ATTRIBUTES`` of each span, until ``until`` (``time.monotonic``)."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.until = math.inf

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if time.monotonic() > self.until:
            return SpanExportResult.FAILURE
        return self._exporter.export([_redacted(span) for span in spans])

    @override
    def shutdown(self) -> None:
        self._exporter.shutdown()


def _redacted(span: ReadableSpan) -> ReadableSpan:
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
