"""The access log: one line for each request, and a request ID that client, proxy and log share."""

import logging
import re
import time
import uuid
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accounts.observability import metrics
from accounts.observability.logs import REQUEST_ID, REQUESTS

log = logging.getLogger(REQUESTS)
HEADER = b"x-request-id"
VALID_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")  # cannot forge a line, nor fill the disk
UNKNOWN = "-"


class AccessLog:
    """Log method, route, status, duration and user of each request, and count it in the metrics.

    A valid X-Request-ID of the request is kept; otherwise one is generated. asgi-correlation-id covers the ID alone, in
    as many lines as here; gunicorn's access log knows neither routes nor users.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = next((value for name, value in scope["headers"] if name == HEADER), b"")
        raw_id = sent if VALID_ID.fullmatch(sent) else uuid.uuid4().hex.encode()
        request_id = raw_id.decode()
        start, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (HEADER, raw_id)]
            await send(message)

        reset_token = REQUEST_ID.set(request_id)
        try:
            await self.app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - start
            fields = _log_fields(scope, status, seconds)
            metrics.request(scope["method"], fields["route"], status, seconds)
            log.info("request", extra={"request_id": request_id} | fields)
            REQUEST_ID.reset(reset_token)


def _log_fields(scope: Scope, status: int, seconds: float) -> dict[str, Any]:
    """Describe a request. Status 0 means no response."""
    return {
        "method": scope["method"] if scope["method"].isalpha() else UNKNOWN,
        "route": getattr(scope.get("route"), "path", UNKNOWN),  # the template: the path itself may hold any text
        "status": status,
        "ms": round(1000 * seconds, 1),
        "user_id": _user_id(scope["state"]),
    }


def _user_id(state: dict[str, object]) -> str | None:
    return str(getattr(state.get("claims"), "user_id", "")) or None
