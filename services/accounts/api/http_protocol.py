"""Limits on request heads, which uvicorn lacks: how long they may take to arrive, and how large they may be."""

import asyncio
from typing import override

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
HEAD_BYTES = 32 * 1024


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which also closes connections whose next head is late or too large.

    Between requests, uvicorn's keep-alive timeout applies. The first byte of the next head
    replaces it by this one. ``gunicorn.conf.py`` configures this class.
    """

    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_body = False

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        super().connection_made(transport)
        self._start_timer()

    @override
    def data_received(self, data: bytes) -> None:
        # After an early response, the rest of the body is still discarded, so that the client can read the response.
        if self._head_timer is None and not self._in_body and self.cycle.response_complete:
            self._start_timer()
        super().data_received(data)
        if self._head_timer is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self.transport.close()

    @override
    def on_headers_complete(self) -> None:
        self._stop_timer()
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES:
            raise ValueError("the head is too large")  # uvicorn answers 400, and closes
        self._in_body = True
        super().on_headers_complete()

    @override
    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _start_timer(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
