"""The token endpoints' errors, for OAuth 2.0's clients too (RFC 6749, 5.2): `error` stands beside `detail`.

The media type is that RFC's own. Strict clients read no `error` in any other, and other clients don't ask for it. The
status of a request that is malformed stays FastAPI's 422.
"""

import json
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from accounts.domain.errors import Refusal

Handler = Callable[[Request, Any], Awaitable[JSONResponse]]

JSON = "application/json"
TOKEN_ENDPOINTS = frozenset(["/auth/jwt/login", "/auth/jwt/refresh"])
OF_CODE = dict.fromkeys(("LOGIN_BAD_CREDENTIALS", "REFRESH_BAD_TOKEN", "REFRESH_TOKEN_REUSED"), "invalid_grant")
OF_STATUS = {
    HTTPStatus.TOO_MANY_REQUESTS: "temporarily_unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE: "temporarily_unavailable",
    HTTPStatus.INTERNAL_SERVER_ERROR: "server_error",
}
NOT_ALLOWED = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]")  # in an error_description


def also_for_oauth(handler: Handler) -> Handler:
    """Let what a handler answers at a token endpoint be an error of OAuth 2.0 as well."""

    async def handle(request: Request, error: Exception) -> JSONResponse:
        answer = await handler(request, error)
        return _translated(answer, error) if request.url.path in TOKEN_ENDPOINTS else answer

    return handle


def error_of(problem: dict[str, Any]) -> str:
    """Find OAuth 2.0's word for a problem."""
    if any(each["loc"][-1] == "grant_type" for each in problem.get("errors", ())):
        return "unsupported_grant_type"
    return OF_CODE.get(problem["detail"]) or OF_STATUS.get(problem["status"], "invalid_request")


def _translated(answer: JSONResponse, error: Exception) -> JSONResponse:
    problem = json.loads(bytes(answer.body))
    description = NOT_ALLOWED.sub("", _described(problem, error))
    headers = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
    body = problem | {"error": error_of(problem), "error_description": description}
    return JSONResponse(body, answer.status_code, headers, JSON)


def _described(problem: dict[str, Any], error: Exception) -> str:
    if isinstance(error, Refusal):
        return error.reason or (error.__doc__ or "").splitlines()[0]
    if "errors" in problem:
        return "Missing or invalid: " + ", ".join(dict.fromkeys(str(each["loc"][-1]) for each in problem["errors"]))
    return str(problem["title"])
