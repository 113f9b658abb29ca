"""Log lines: JSON in production, text in development, and never personal data or secrets."""

import io
import json
import logging
import re
from http import HTTPStatus
from logging.config import dictConfig
from typing import Any

import pytest

from accounts.models import MailKind
from accounts.observability import logs
from accounts.settings import Environment, get_settings

TOKEN = "vAM_fFojyBUjZH0TLMLR39p3ex1FOIu4sEYH9JwQx1Q"


@pytest.fixture(params=[Environment.PRODUCTION, Environment.DEVELOPMENT])
def environment(request: pytest.FixtureRequest) -> Environment:
    return Environment(request.param)


def logged(environment: Environment, message: str, *arguments: object, **more: Any) -> str:
    """Log with a separate logger and the project's formatter."""
    config = logs.config(get_settings().model_copy(update={"environment": environment}))
    stream = io.StringIO()
    config["handlers"]["stderr"]["stream"] = stream
    config["loggers"] = {"a test": {"handlers": ["stderr"], "level": "INFO", "propagate": False}}
    del config["root"]
    dictConfig(config)
    logging.getLogger("a test").error(message, *arguments, **more)
    return stream.getvalue()


def test_logs_are_json_in_production() -> None:
    before = logs.REQUEST_ID.set("abc")
    line = json.loads(logged(Environment.PRODUCTION, "hello %s", "world", extra={"status": 200}))
    logs.REQUEST_ID.reset(before)

    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "hello world", "level": "error", "logger": "a test", "request_id": "abc", "status": 200}


def test_access_log_is_json() -> None:
    about = dict.fromkeys(logs.REQUEST_FIELDS) | {"request_id": "abc", "status": 200}
    record = logging.makeLogRecord({"name": logs.REQUESTS, "msg": "request"} | about)

    line = json.loads(logs.RequestLine().format(record))

    assert line.pop("timestamp").endswith("Z")
    assert line == about | {"event": "request", "level": "info", "logger": "accounts.requests"}


def test_logs_are_readable_text_in_development() -> None:
    line = logged(Environment.DEVELOPMENT, "hello", extra={"status": 200})

    assert "hello" in line
    assert "status=200" in line


def test_values_are_plain_and_without_escape_codes(environment: Environment) -> None:
    extra = {"status": HTTPStatus.UNAUTHORIZED, "kind": MailKind.VERIFY, "color_message": "\x1b[36mStarted\x1b[0m"}
    line = logged(environment, "Started", extra=extra)

    assert re.search(r"status\W+401\b", line)
    assert "<" not in line
    assert "\x1b" not in line
    assert "\\u001b" not in line


def test_logs_contain_no_email_and_no_token(environment: Environment) -> None:
    error = ValueError(f"Key (lower(email))=(arthur@camelot.example.com) exists, token={TOKEN}")
    text = logged(environment, "to <arthur@camelot.example.com>: %s", TOKEN, exc_info=error)

    assert "ValueError" in text
    assert "Key (lower(email))=(…) exists, token=…" in text
    assert "arthur" not in text
    assert TOKEN not in text


def test_log_lines_cannot_be_forged_in_production() -> None:
    assert logged(Environment.PRODUCTION, "%s", 'x"}\n{"event": "forged"}').count("\n") == 1
