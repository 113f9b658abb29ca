"""How every process logs: an event is a line of JSON, or one to read in development, and tells nobody's secrets."""

import re
from functools import partial
from typing import Any

import structlog

from accounts.settings import Settings

# Whatever lies around an @, and what is as long as a token; the text of an error may quote both.
PRIVATE = re.compile(r"[^\s\"'<>()=,]+@[^\s\"'<>()=,]+|\b[\w-]{40,}")
HIDDEN = "…"
REQUESTS = "accounts.requests"
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
            structlog.contextvars.merge_contextvars,
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
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "handlers": {"stderr": handler},
        # Requests have a line of their own, see accounts.api.requests.
        "loggers": dict.fromkeys(LOGGERS, own) | {"uvicorn.access": {"handlers": [], "propagate": False}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
    }


def _line(render: Any, logger: Any, name: str, event: dict[str, Any]) -> str:
    # A request's own line has nothing to hide, and there are many.
    plain = event.get("logger") == REQUESTS
    line: str = render(logger, name, event)
    return line if plain else PRIVATE.sub(HIDDEN, line)
