"""A line for each request, and an id by which a client, a proxy and the log mean the same one."""

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
ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,64}")  # nothing that could forge a line, or fill the disk
UNKNOWN = "-"


class AccessLog:
    """Log who asked for which route, and how it ended; the id is the client's, or its proxy's, where they gave one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI has it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == HEADER), b"")
        raw_id = given if ACCEPTED.fullmatch(given) else uuid.uuid4().hex.encode()
        request_id = raw_id.decode()
        begun, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (HEADER, raw_id)]
            await send(message)

        before = REQUEST_ID.set(request_id)
        try:
            await self.app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - begun
            about = _about(scope, status, seconds)
            metrics.request(scope["method"], about["route"], status, seconds)
            log.info("request", extra={"request_id": request_id} | about)
            REQUEST_ID.reset(before)


def _about(scope: Scope, status: int, seconds: float) -> dict[str, Any]:
    # The template of the path, and not the path: that may hold what somebody else wrote. Status 0 is no answer.
    return {
        "method": scope["method"] if scope["method"].isalpha() else UNKNOWN,
        "route": getattr(scope.get("route"), "path", UNKNOWN),
        "status": status,
        "ms": round(1000 * seconds, 1),
        "user_id": _user_id(scope["state"]),
    }


def _user_id(state: dict[str, object]) -> str | None:
    return str(getattr(state.get("claims"), "user_id", "")) or None
