"""Limits on the time and size of a request's head (against slowloris), which uvicorn does not have."""

import asyncio
from typing import override

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
HEAD_BYTES = 32 * 1024


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which closes connections whose request head is too slow or too large.

    Between two requests uvicorn's keep-alive timeout applies; this one starts with the first byte of the next request.
    """

    _deadline: asyncio.TimerHandle | None = None
    _received = 0
    _in_body = False

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        super().connection_made(transport)
        self._await_head()

    @override
    def data_received(self, data: bytes) -> None:
        # Not while a body is still arriving: it may have been answered early, and the client must be able to read that.
        if self._deadline is None and not self._in_body and self.cycle.response_complete:
            self._await_head()
        super().data_received(data)
        if self._deadline is not None:
            self._received += len(data)
            if self._received > HEAD_BYTES:
                self.transport.close()

    @override
    def on_headers_complete(self) -> None:
        self._stop_waiting()
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES:
            raise ValueError("request head too large")  # uvicorn responds with 400 and closes
        self._in_body = True
        super().on_headers_complete()

    @override
    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._received = 0
        self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
