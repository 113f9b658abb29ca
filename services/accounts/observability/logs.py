"""How every process logs: an event is a line of JSON, or one to read in development, and tells nobody's secrets."""

import json
import logging
import re
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from typing import Any, override

import structlog
from structlog.typing import EventDict

from accounts.settings import Settings

# Whatever lies around an @, and what is as long as a token; the text of an error may quote both.
SENSITIVE = re.compile(r"[^\s\"'<>()=,]+@[^\s\"'<>()=,]+|\b[\w-]{40,}")
REDACTED = "…"
REQUESTS = "accounts.requests"
REQUEST_FIELDS = ("request_id", "method", "route", "status", "ms", "user_id")
REQUEST_ID: ContextVar[str] = ContextVar("request_id")
context: Callable[[], dict[str, str]] = dict  # what else each line has: accounts.tracing names the trace
LOGGERS = ("accounts", "gunicorn.error", "uvicorn", "uvicorn.error")


def config(settings: Settings) -> dict[str, Any]:
    """Give what ``logging.config.dictConfig`` takes: standard error gets everything from LOG_LEVEL on."""
    level = settings.log_level.upper()
    # Not the renderer's own tracebacks, which show what variables hold.
    console = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    render = console if settings.development else structlog.processors.JSONRenderer()
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [
            _with_request_id,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *([] if settings.development else [structlog.processors.format_exc_info]),
            partial(_line, render),
        ],
    }
    handler = {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}
    own = {"handlers": ["stderr"], "level": level, "propagate": False}
    requests = own if settings.development else own | {"handlers": ["requests"]}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter, "request": {"()": RequestLine}},
        "handlers": {"stderr": handler, "requests": handler | {"formatter": "request"}},
        # Requests have a line of their own, see accounts.api.requests.
        "loggers": dict.fromkeys(LOGGERS, own)
        | {REQUESTS: requests, "uvicorn.access": {"handlers": [], "propagate": False}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
    }


class RequestLine(logging.Formatter):
    """A request's own line: the same JSON, a quarter of the time, and nothing to hide."""

    encode = json.JSONEncoder().encode

    @override
    def format(self, record: logging.LogRecord) -> str:
        about = vars(record)
        return self.encode(
            {"event": record.msg, **{name: about[name] for name in REQUEST_FIELDS}, "level": "info"}
            | {"logger": record.name, "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat()[:-6] + "Z"}
            | context()
        )


def _with_request_id(_: Any, __: str, event: EventDict) -> EventDict:
    if request_id := REQUEST_ID.get(None):
        event["request_id"] = request_id
    event.update(context())
    return event


def _line(render: Any, logger: Any, name: str, event: dict[str, Any]) -> str:
    return SENSITIVE.sub(REDACTED, render(logger, name, event))
