"""Logging of every process: one event per line, as JSON (as text in development), with secrets redacted."""

import json
import logging
import re
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from typing import Any, override

import structlog
from structlog.typing import EventDict

from accounts.settings import Settings

# Email addresses, and words as long as a token: the text of an error may quote either. Takes linear time: an address is
# searched at the beginning of a word only, and nothing is read twice.
SENSITIVE = re.compile(r"(?<![^\s\"'<>()=,])[^\s\"'<>()=,@]*+@[^\s\"'<>()=,]*+|\b[\w-]{40,}+")
REDACTED = "…"
REQUESTS = "accounts.requests"
REQUEST_FIELDS = ("request_id", "method", "route", "status", "ms", "user_id")
REQUEST_ID: ContextVar[str] = ContextVar("request_id")
context: Callable[[], dict[str, str]] = dict  # further fields of each line: tracing adds the trace id
LOGGERS = ("accounts", "gunicorn.error", "uvicorn", "uvicorn.error")


def config(settings: Settings) -> dict[str, Any]:
    """Return the configuration for ``logging.config.dictConfig``: everything from LOG_LEVEL on to standard error."""
    level = settings.log_level.upper()
    # Plain tracebacks: the renderer's own show the values of variables.
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
            _plain,
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
        # accounts.api.middleware.access_log logs requests.
        "loggers": dict.fromkeys(LOGGERS, own)
        | {REQUESTS: requests, "uvicorn.access": {"handlers": [], "propagate": False}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
    }


class RequestLine(logging.Formatter):
    """The access log: the same JSON in a quarter of the time. Its fields need no redaction."""

    encode = json.JSONEncoder().encode

    @override
    def format(self, record: logging.LogRecord) -> str:
        fields = vars(record)
        return self.encode(
            {"event": record.msg, **{name: fields[name] for name in REQUEST_FIELDS}, "level": "info"}
            | {"logger": record.name, "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat()[:-6] + "Z"}
            | context()
        )


def _with_request_id(_: Any, __: str, event: EventDict) -> EventDict:
    if request_id := REQUEST_ID.get(None):
        event["request_id"] = request_id
    event.update(context())
    return event


def _plain(_: Any, __: str, event: EventDict) -> EventDict:
    """Remove uvicorn's second text, which has escape codes, and replace enumerations such as HTTPStatus by values."""
    event.pop("color_message", None)
    return {name: value.value if isinstance(value, Enum) else value for name, value in event.items()}


def _line(render: Any, logger: Any, name: str, event: dict[str, Any]) -> str:
    return SENSITIVE.sub(REDACTED, render(logger, name, event))
