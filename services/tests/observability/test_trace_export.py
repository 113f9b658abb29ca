"""Export of traces: by each worker, without delaying requests, and only if it is configured."""

import socket
import time

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from accounts.observability import tracing
from accounts.settings import Settings
from support.gunicorn import gunicorn
from support.otlp import collecting, traced
from support.processes import free_port, python

OFF = "import sys; from accounts.api.app import create_app; create_app(); print(*sys.modules)"


@pytest.mark.slow
@pytest.mark.parametrize("listens", [False, True])
async def test_requests_succeed_while_the_collector_does_not_answer(
    fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch, *, listens: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if listens else free_port()
        async with traced(fresh_settings, monkeypatch, f"http://127.0.0.1:{port}") as client:
            for _ in range(20):
                assert (await client.get("/user-groups")).status_code == 200
            begun = time.monotonic()

        assert time.monotonic() - begun < 2 * tracing.SECONDS + 2


def test_spans_left_after_the_stop_timeout_are_dropped() -> None:
    collected = InMemorySpanExporter()
    exporter = tracing.RedactingExporter(collected)
    span = TracerProvider().get_tracer("a test").start_span("a test")
    assert isinstance(span, ReadableSpan)

    assert exporter.export([span]) is SpanExportResult.SUCCESS
    exporter.until = 0
    assert exporter.export([span]) is SpanExportResult.FAILURE
    assert len(collected.get_finished_spans()) == 1


@pytest.mark.slow
def test_each_worker_exports_its_own_spans(fresh_database: str) -> None:
    with collecting() as collector:
        with gunicorn(fresh_database, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url) as server:
            server.request("/user-groups", times=10)
            assert server.stop() == 0

        assert len({span.trace_id for span in collector.named("GET /user-groups")}) == 10


@pytest.mark.slow
def test_tracing_is_not_imported_when_it_is_off() -> None:
    found = python("-c", OFF).stdout.split()

    assert "opentelemetry.trace" in found  # of FastAPI's own
    assert not [
        name
        for name in found
        if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.instr"))
    ]
