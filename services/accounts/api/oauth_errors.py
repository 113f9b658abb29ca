"""Errors of the token endpoints, for OAuth 2.0 clients too (RFC 6749, 5.2): ``error`` is next to ``detail``.

They are sent as ``application/json``, as the RFC requires. Malformed requests keep FastAPI's status 422.
"""

import re
from http import HTTPStatus

from pydantic import Field

from accounts.api.problems import STATUS, Problem, summary

JSON = "application/json"
TOKEN_ENDPOINTS = frozenset(["/auth/jwt/login", "/auth/jwt/refresh"])
ERROR_BY_CODE = dict.fromkeys(("LOGIN_BAD_CREDENTIALS", "REFRESH_BAD_TOKEN", "REFRESH_TOKEN_REUSED"), "invalid_grant")
ERROR_BY_STATUS = {
    HTTPStatus.TOO_MANY_REQUESTS: "temporarily_unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE: "temporarily_unavailable",
    HTTPStatus.INTERNAL_SERVER_ERROR: "server_error",
}
SUMMARY_BY_CODE = {refusal.code: summary(refusal) for refusal in STATUS}
NOT_ALLOWED = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]")  # in an error_description


class TokenProblem(Problem):
    """Problem details that are an OAuth 2.0 error too (RFC 6749, 5.2)."""

    error: str = Field(description="OAuth 2.0's code.", examples=["invalid_grant"])
    error_description: str = Field(
        description="An explanation for people.", examples=["Wrong email or password, or the user is inactive."]
    )


def token_problem(problem: Problem) -> TokenProblem:
    """Extend a problem by OAuth 2.0's members."""
    description = NOT_ALLOWED.sub("", _describe(problem))
    return TokenProblem(**dict(problem), error=_error_code(problem), error_description=description)


def _error_code(problem: Problem) -> str:
    if any(field.loc[-1] == "grant_type" for field in problem.errors or ()):
        return "unsupported_grant_type"
    return ERROR_BY_CODE.get(problem.detail) or ERROR_BY_STATUS.get(HTTPStatus(problem.status), "invalid_request")


def _describe(problem: Problem) -> str:
    if problem.errors:
        return "Missing or invalid: " + ", ".join(dict.fromkeys(str(field.loc[-1]) for field in problem.errors))
    return problem.reason or SUMMARY_BY_CODE.get(problem.detail, problem.title)
