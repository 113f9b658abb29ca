"""A collector of the tests' own: takes traces by OTLP over HTTP, and keeps their spans."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.types import Receive, Scope, Send

from accounts.api import app as application
from accounts.settings import Settings


class Collector(ThreadingHTTPServer):
    """Listens on loopback."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.bodies: list[bytes] = []

    def spans(self) -> list[Any]:
        """List what has come, each as its protobuf message."""
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        scopes = [scope for each in requests for resource in each.resource_spans for scope in resource.scope_spans]
        return [span for scope in scopes for span in scope.spans]

    def named(self, name: str) -> list[Any]:
        """List the spans of a name."""
        return [span for span in self.spans() if span.name == name]

    def below(self, parent: Any) -> list[Any]:
        """List the client's spans of the parent's trace: its statements."""
        same = [span for span in self.spans() if span.trace_id == parent.trace_id]
        return [span for span in same if span.kind == span.SPAN_KIND_CLIENT]


class Handler(BaseHTTPRequestHandler):
    """Takes what is posted."""

    server: Collector

    def do_POST(self) -> None:  # http.server's name
        """Keep it, and say that all is well."""
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def collecting() -> Iterator[Collector]:
    """Collect while the block runs."""
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        yield collector
        collector.shutdown()
        thread.join()


def attributes(span: Any) -> dict[str, Any]:
    """Give a span's attributes, as text."""
    return {each.key: each.value.string_value for each in span.attributes}


@asynccontextmanager
async def traced(settings: Settings, monkeypatch: pytest.MonkeyPatch, url: str) -> AsyncIterator[AsyncClient]:
    """Serve the API with traces; they have been sent when the block has ended."""
    here = settings.model_copy(update={"otel_exporter_otlp_endpoint": url})
    monkeypatch.setattr(application, "get_settings", lambda: here)
    app = application.create_app()
    async with application.lifespan(app) as state:

        async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        yield AsyncClient(transport=ASGITransport(asgi), base_url="http://testserver")
